package inventory

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Expand returns the hosts that a name with ranges stands for, in order:
// gpu-[01:64] is gpu-01 to gpu-64, rack-[a:c]-[1:9:2] has letters and a step of 2.
// A name without a range stands for itself; an IPv6 address in brackets is none. Brackets
// with something else, such as the [01-64] of other tools, are an error: no host is called so.
func Expand(name string) ([]string, error) {
	hosts := []string{""}
	for rest := name; ; {
		from, to := findRange(rest)
		if from < 0 {
			if !onlyAddresses(rest) {
				return nil, fmt.Errorf("%s: brackets hold a range, such as [01:64] or [a:c], or an IPv6 address", name)
			}
			for i := range hosts {
				hosts[i] += rest
			}
			return hosts, nil
		}
		items, err := items(rest[from+1 : to])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(hosts)*len(items) > Most {
			return nil, fmt.Errorf("%s: more than %d hosts", name, Most)
		}
		next := make([]string, 0, len(hosts)*len(items))
		for _, h := range hosts {
			for _, item := range items {
				next = append(next, h+rest[:from]+item)
			}
		}
		hosts, rest = next, rest[to+1:]
	}
}

// onlyAddresses reports whether all that is in brackets is an IPv6 address.
func onlyAddresses(s string) bool {
	for {
		before, rest, found := strings.Cut(s, "[")
		if strings.Contains(before, "]") || !found {
			return !found && !strings.Contains(before, "]")
		}
		inside, after, closed := strings.Cut(rest, "]")
		if _, err := netip.ParseAddr(inside); err != nil || !closed {
			return false
		}
		s = after
	}
}

// isRange reports whether a line begins with a range, and not with a group.
func isRange(line string) bool {
	from, _ := findRange(line)
	return from == 0
}

// findRange returns where the brackets of the first range are, or -1. Brackets
// that hold something else, as those of an IPv6 address do, are left alone.
func findRange(s string) (from, to int) {
	for at := 0; ; {
		from = strings.IndexByte(s[at:], '[')
		if from < 0 {
			return -1, -1
		}
		from += at
		to = strings.IndexByte(s[from:], ']')
		if to < 0 {
			return -1, -1
		}
		to += from
		if looksLikeRange(s[from+1 : to]) {
			return from, to
		}
		at = from + 1
	}
}

// looksLikeRange reports whether text is A:B or A:B:STEP of numbers, or of single
// letters. No IPv6 address is: it has eight parts, or two colons in a row.
func looksLikeRange(text string) bool {
	parts := strings.Split(text, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return false
	}
	for _, p := range parts {
		if !isNumber(p) && (len(p) != 1 || !isLetter(p[0])) {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// items are what a range stands for.
func items(text string) ([]string, error) {
	parts := strings.Split(text, ":")
	first, last, step := parts[0], parts[1], 1
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("the step of [%s] is not a number above 0", text)
		}
		step = n
	}
	if isNumber(first) != isNumber(last) {
		return nil, fmt.Errorf("[%s] goes from a number to a letter", text)
	}
	var out []string
	if !isNumber(first) {
		for c := int(first[0]); c <= int(last[0]); c += step {
			if isLetter(byte(c)) {
				out = append(out, string(rune(c)))
			}
		}
	} else {
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || b-a >= Most*step {
			return nil, fmt.Errorf("[%s] is too large", text)
		}
		width := 0
		if first[0] == '0' && len(first) > 1 {
			width = len(first)
		}
		for n := a; n <= b; n += step {
			out = append(out, fmt.Sprintf("%0*d", width, n))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("[%s] is empty: it goes down", text)
	}
	return out, nil
}
