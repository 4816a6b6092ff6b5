package codec

type keypair struct{}

func (keypair) Decode(data []byte) (*Node, error)                { panic("not yet") }
func (keypair) Splice(data []byte, edits []Edit) ([]byte, error) { panic("not yet") }
