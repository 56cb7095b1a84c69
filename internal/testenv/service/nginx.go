package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// StartNginx starts an nginx with a configuration, which is given the address
// to listen on and a folder for everything that it writes.
func StartNginx(ctx context.Context, dir string, config func(addr, dir string) string) (*Server, error) {
	program, err := nginxProgram()
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	as, err := notRoot() // as root it would hand its work to a user who may not write here
	if err != nil {
		return nil, err
	}
	addr, file := net.JoinHostPort("127.0.0.1", port), filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config(addr, dir)), 0o600); err != nil {
		return nil, fmt.Errorf("write nginx.conf: %w", err)
	}
	for _, path := range []string{dir, file} {
		if err := as.own(path); err != nil {
			return nil, err
		}
	}
	s := &Server{
		Name: "nginx", Addr: addr, URL: "http://" + addr,
		argv:    []string{program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file, "-g", "daemon off;"},
		as:      as,
		logPath: filepath.Join(dir, "nginx.log"),
		stop:    syscall.SIGQUIT,
	}
	s.ready = func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return s, s.Start(ctx)
}

func nginxProgram() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} { // Debian keeps it out of PATH
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("nginx: %w", ErrMissing)
}
