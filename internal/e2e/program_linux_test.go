package e2e

import "syscall"

// dieWithParent keeps a killed test run from leaving programs behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
