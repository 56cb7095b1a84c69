// Package composetest holds no code, only the tests of what is deployed:
// docker-compose.yml as Docker would load it, the Dockerfile, and whether the
// two, deploy/compose and package config mean the same.
//
// It deliberately starts no container, since no engine may be at hand: what an
// image does inside is not tested here. The trap: a setting that Docker reads
// and we forgot to look at is not wrong here, only unseen.
package composetest
