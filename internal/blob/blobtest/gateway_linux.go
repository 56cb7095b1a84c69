package blobtest

import "syscall"

// dieWithParent keeps a killed test run from leaving gateways behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
