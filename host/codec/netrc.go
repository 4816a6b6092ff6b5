package codec

type netrc struct{}

func (netrc) Decode(data []byte) (*Node, error)                { panic("not yet") }
func (netrc) Splice(data []byte, edits []Edit) ([]byte, error) { panic("not yet") }
