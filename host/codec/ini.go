package codec

type ini struct{ opts Options }

func (ini) Decode(data []byte) (*Node, error)                { panic("not yet") }
func (ini) Splice(data []byte, edits []Edit) ([]byte, error) { panic("not yet") }
