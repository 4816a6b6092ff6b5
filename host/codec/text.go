package codec

type text struct{}

func (text) Decode(data []byte) (*Node, error)                { panic("not yet") }
func (text) Splice(data []byte, edits []Edit) ([]byte, error) { panic("not yet") }
