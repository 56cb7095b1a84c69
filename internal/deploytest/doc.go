// Package deploytest holds no code, only the tests of deploy/terraform,
// deploy/kubernetes and deploy/railway: each is read as its own tool reads it,
// strictly, and asked what it would do.
//
// It deliberately reaches no cloud and no cluster; "make deploy-check" goes
// further where Terraform and an emulator are at hand. The trap: a manifest may
// be valid and wrong, so what matters, rights above all, is compared word for
// word and not merely decoded.
package deploytest
