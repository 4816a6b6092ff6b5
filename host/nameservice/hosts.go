package nameservice

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// resolver is Go's own; tests have another.
var resolver = net.DefaultResolver

// Addresses returns the addresses of a host; network is "ip", "ip4" or "ip6". An error
// is that of [net.Resolver].
func Addresses(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if local(host) {
		if found := asked(ctx, network, host); len(found) > 0 {
			return found, nil
		}
	}
	found, err := resolver.LookupNetIP(ctx, network, host)
	if noSuchHost(err) && !local(host) {
		if others := asked(ctx, network, host); len(others) > 0 {
			return others, nil
		}
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// DialContext returns a function as d.DialContext that finds hosts as [Addresses] does.
func DialContext(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || !strings.HasPrefix(network, "tcp") {
			return d.DialContext(ctx, network, address)
		}
		if !local(host) {
			conn, err := d.DialContext(ctx, network, address)
			if !noSuchHost(err) {
				return conn, err
			}
		}
		family := "ip" + strings.TrimPrefix(network, "tcp")
		found := asked(ctx, family, host)
		if len(found) == 0 {
			return d.DialContext(ctx, network, address)
		}
		return dialEach(ctx, d, network, port, found)
	}
}

// dialEach tries the addresses in turn. Each has an equal part of the time that is left,
// as with [net.Dialer].
func dialEach(ctx context.Context, d *net.Dialer, network, port string, addresses []netip.Addr) (conn net.Conn, err error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	for i, a := range addresses {
		part, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			part, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addresses)-i))
		}
		conn, err = d.DialContext(part, network, net.JoinHostPort(a.String(), port))
		cancel()
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// local reports whether a name is one of the local network, which the DNS does not know,
// or has something else for (RFC 6762).
func local(host string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local")
}

func noSuchHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

const (
	maxName      = 253
	maxAddresses = 32
)

// asked returns the addresses of a host that getent finds.
func asked(ctx context.Context, network, host string) (found []netip.Addr) {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || len(host) > maxName || host[0] == '-' || strings.ContainsFunc(host, notInHost) {
		return nil
	}
	out, err := ask(ctx, "ahosts", host)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		a, err := netip.ParseAddr(first)
		a = a.Unmap()
		if err != nil || network == "ip4" && !a.Is4() || network == "ip6" && !a.Is6() || slices.Contains(found, a) {
			continue
		}
		if found = append(found, a); len(found) == maxAddresses {
			break
		}
	}
	return found
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
