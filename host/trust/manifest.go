package trust

// KnowsManifest reports whether the user trusts the manifest at a path as it is.
// before reports that they trusted it with other bytes.
func (p *Providers) KnowsManifest(path string, data []byte) (trusted, before bool, err error) {
	l, err := p.locked()
	if err != nil {
		return false, false, err
	}
	want, before := l.Manifests[path]
	return before && want == digest(data), before, nil
}

// TrustManifest has the user trust the manifest at a path, as it is now.
func (p *Providers) TrustManifest(path string, data []byte) error {
	return p.change(func(l *lock) error {
		if l.Manifests[path] == digest(data) {
			return nil
		}
		l.Manifests[path] = digest(data)
		return p.write(l)
	})
}

// DistrustManifest takes that back; false where it was not trusted.
func (p *Providers) DistrustManifest(path string) (found bool, err error) {
	err = p.change(func(l *lock) error {
		if _, found = l.Manifests[path]; !found {
			return nil
		}
		delete(l.Manifests, path)
		return p.write(l)
	})
	return found, err
}
