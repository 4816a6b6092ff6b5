package doctor

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// networkCheck looks whether rhx's folders are on a share of the network.
var networkCheck = Check{Name: "network", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	for _, dir := range []string{d.Engine.Dirs.Data, d.Home} {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if name := networked(uint32(st.Type)); name != "" {
			return []Finding{{
				Level: Note, What: d.short(dir) + " is on a share of the network (" + name + ")", Why: "Its server, and other machines that mount it, can read the store and its key.",
				Command: "RHX_AGE_IDENTITY=passphrase rhx store rekey",
			}}, nil
		}
	}
	return nil, nil
}}

// networked names a file system of a network by its number; "" for others.
func networked(number uint32) string {
	return map[uint32]string{0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x517b: "SMB", 0x00c36400: "Ceph", 0x01021997: "9p", 0x5346414f: "AFS", 0x0bd00bd0: "Lustre"}[number]
}
