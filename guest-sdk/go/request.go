package guest

// parse reads a request. What it does not know in one, it passes over.
func parse(b []byte) (req Request, op string, s Secret, err error) {
	r := &reader{b: b}
	abi, encoded := "", [][]byte(nil)
	if r.peek() != '{' {
		r.fail()
	}
	r.object(func(key string) {
		switch key {
		case "abi":
			abi = r.number()
		case "op":
			op = r.text()
		case "provider":
			req.Provider = r.text()
		case "profile":
			req.Profile = r.text()
		case "options":
			req.Options = r.texts()
		case "env":
			req.Env = r.texts()
		case "secret":
			r.object(func(key string) {
				switch key {
				case "profile":
					s.Profile = r.text()
				case "values":
					s.Values = r.texts()
				default:
					r.skip()
				}
			})
		case "files":
			r.array(func() {
				f, content := File{}, []byte(nil)
				r.object(func(key string) {
					switch key {
					case "path":
						f.Path = r.text()
					case "content":
						content = r.part()
					case "exists":
						f.Exists = r.text() == "true"
					default:
						r.skip()
					}
				})
				req.Files = append(req.Files, f)
				encoded = append(encoded, content)
			})
		default:
			r.skip()
		}
	})
	if r.peek(); r.bad || r.i < len(r.b) {
		return Request{}, "", Secret{}, Invalid("", 0, "the request is not a JSON object")
	}
	switch {
	case abi == "" || len(abi) > 9:
		return Request{}, "", Secret{}, Unsupported("", 0, "the request does not say which ABI it is of; this module speaks ABI 1")
	case abi != "1":
		return Request{}, "", Secret{}, Unsupported("", 0, "the request is of ABI "+abi+"; this module speaks ABI 1")
	}
	for i, text := range encoded {
		var ok bool
		if req.Files[i].Content, ok = decode64(text); !ok {
			return Request{}, "", Secret{}, Invalid(req.Files[i].Path, 0, "the content of a file is not base64")
		}
	}
	return req, op, s, nil
}

// texts reads an object of texts.
func (r *reader) texts() map[string]string {
	m := map[string]string{}
	r.object(func(key string) {
		switch r.peek() {
		case '{', '[':
			r.skip()
		default:
			m[key] = r.text()
		}
	})
	return m
}

// number reads a whole number without a sign; "" for anything else.
func (r *reader) number() string {
	if r.peek() == '"' {
		r.skip()
		return ""
	}
	text := r.text()
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return text
}
