//go:build linux || darwin

package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/fault"
)

// leastFree is how many bytes a disk has to take: less than any write of rhx needs.
const leastFree = 1 << 20

// diskCheck looks whether the home folder and rhx's own folders can be written to.
var diskCheck = Check{Name: "disk", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	var out []Finding
	told := map[string]bool{}
	dirs := d.Engine.Dirs
	for _, dir := range []string{d.Home, dirs.Config, dirs.Data, dirs.State} {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		dir = standing(dir)
		what, disk, err := takesNothing(dir)
		if err != nil {
			return out, fmt.Errorf("%s: %w", d.short(dir), fault.Cause(err))
		}
		if what == "" || told[what+disk] {
			continue
		}
		told[what+disk] = true
		out = append(out, Finding{
			Level: Warning, What: fmt.Sprintf("nothing can be written to %s: %s", d.short(dir), what),
			Why:     "rhx reads what is there, and neither saves, loads nor notes what it did.",
			Command: "df -h " + d.short(dir) + "; ls -ld " + d.short(dir),
		})
	}
	return out, nil
}}

// standing is a folder, or the nearest one above that is there: it is made in that one.
func standing(dir string) string {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if err == nil || !os.IsNotExist(err) || up == dir {
			return dir
		}
		dir = up
	}
}

// takesNothing says why a folder takes no new file, "" where it does. disk stands for all
// folders of which the same is to be said.
func takesNothing(dir string) (what, disk string, err error) {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		if err == unix.EROFS {
			return err.Error(), "", nil
		}
		return err.Error(), dir, nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", "", err
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree // of which a part is root's alone
	}
	disk = fmt.Sprint(st.Fsid)
	switch {
	case st.Blocks > 0 && free*uint64(st.Bsize) < leastFree:
		return "the disk is full", disk, nil
	case st.Files > 0 && st.Ffree == 0:
		return "the disk has no room for more files", disk, nil
	}
	return "", disk, nil
}
