package service

import "syscall"

// dieWithParent keeps a killed test run from leaving servers behind.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
