package codec

type dotenv struct{}

func (dotenv) Decode(data []byte) (*Node, error)                { panic("not yet") }
func (dotenv) Splice(data []byte, edits []Edit) ([]byte, error) { panic("not yet") }
