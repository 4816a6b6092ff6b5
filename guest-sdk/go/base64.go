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

func digit64(c byte) (uint, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return uint(c - 'A'), true
	case c >= 'a' && c <= 'z':
		return uint(c-'a') + 26, true
	case c >= '0' && c <= '9':
		return uint(c-'0') + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}

func decode64(s []byte) ([]byte, bool) {
	if len(s)%4 != 0 {
		return nil, false
	}
	out := make([]byte, 0, len(s)/4*3)
	for i := 0; i < len(s); i += 4 {
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
				d, ok := digit64(s[i+j])
				if !ok {
					return nil, false
				}
				v |= d
			}
		}
		out = append(out, byte(v>>16), byte(v>>8), byte(v))[:len(out)+n-1]
	}
	return out, true
}
