package guest

// Base64 of RFC 4648, section 4. The standard library's brings package reflect
// with it.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func append64(b, data []byte) []byte {
	for ; len(data) >= 3; data = data[3:] {
		v := uint(data[0])<<16 | uint(data[1])<<8 | uint(data[2])
		b = append(b, alphabet[v>>18], alphabet[v>>12&63], alphabet[v>>6&63], alphabet[v&63])
	}
	switch len(data) {
	case 1:
		v := uint(data[0]) << 16
		b = append(b, alphabet[v>>18], alphabet[v>>12&63], '=', '=')
	case 2:
		v := uint(data[0])<<16 | uint(data[1])<<8
		b = append(b, alphabet[v>>18], alphabet[v>>12&63], alphabet[v>>6&63], '=')
	}
	return b
}

// digits returns what each digit stands for, and 0xff for what is none.
func digits() *[256]byte {
	var t [256]byte
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return &t
}

func decode64(s []byte) ([]byte, bool) {
	if len(s)%4 != 0 {
		return nil, false
	}
	out := make([]byte, 0, len(s)/4*3)
	digit := digits()
	for i := 0; i < len(s); i += 4 {
		a, b, c, d := digit[s[i]], digit[s[i+1]], digit[s[i+2]], digit[s[i+3]]
		if a|b|c|d < 64 { // without padding, and without a loop
			v := uint(a)<<18 | uint(b)<<12 | uint(c)<<6 | uint(d)
			out = append(out, byte(v>>16), byte(v>>8), byte(v))
			continue
		}
		n := 4
		if i+4 == len(s) {
			for n > 2 && s[i+n-1] == '=' {
				n--
			}
		}
		var v uint
		for j := range 4 {
			v <<= 6
			if j < n {
				d := digit[s[i+j]]
				if d > 63 {
					return nil, false
				}
				v |= uint(d)
			}
		}
		out = append(out, byte(v>>16), byte(v>>8), byte(v))[:len(out)+n-1]
	}
	return out, true
}
