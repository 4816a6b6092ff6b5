package mask

// Literals are texts that are searched for as they are.
type Literals struct{ w *words }

// NewLiterals returns what finds texts, each of at least [MinLength] bytes.
func NewLiterals(texts []string) *Literals {
	list := make([]word, len(texts))
	for i, t := range texts {
		list[i] = word{text: t}
	}
	return &Literals{newWords(list)}
}

// Find calls found with where one of the texts is, or several that overlap.
func (l *Literals) Find(text []byte, found func(start, end int)) {
	for _, s := range merge(l.w.find(text, false, nil)) {
		found(s.start, s.end)
	}
}
