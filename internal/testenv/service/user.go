//go:build unix

package service

import (
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// user is whom a server runs as; nil is ourselves.
type user struct{ uid, gid uint32 }

// notRoot returns the user for a program that refuses to run as root, nil when
// we are not root ourselves.
func notRoot() (*user, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is ourselves, and no error
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &user{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL refuses to run as root and there is no user postgres or nobody")
}

// own gives dir to the user, who must also be able to pass through the folder
// above it: os.MkdirTemp closes that to everybody else.
func (u *user) own(dir string) error {
	if u == nil {
		return nil
	}
	if err := os.Chown(dir, int(u.uid), int(u.gid)); err != nil {
		return fmt.Errorf("give %s to PostgreSQL's user: %w", dir, err)
	}
	return nil
}

// attributes run a child as the user and in a process group of its own: a
// Ctrl-C goes to the whole group at the terminal, and servers are stopped by
// us, after their clients.
func (u *user) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	if u != nil {
		attr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	return attr
}
