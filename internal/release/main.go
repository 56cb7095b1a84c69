package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("o", "dist", "folder for the archives; what is in it is replaced")
	only := flags.String("only", "", "systems to build for, such as linux/amd64,darwin/arm64; empty: all")
	twice := flags.Bool("twice", false, "build everything again from nothing, and compare")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets, err := choose(*only)
	if err != nil {
		return err
	}
	if err := cleanTree(ctx); err != nil {
		return err
	}
	first, err := releaseInto(ctx, *out, ".", targets, "")
	if err != nil {
		return err
	}
	if *twice {
		if err := again(ctx, targets, first); err != nil {
			return err
		}
		fmt.Println("built twice, from nothing and in another folder: the same bytes")
	}
	return nil
}

// again builds in a fresh checkout with an empty build cache and compares the
// checksums.
func again(ctx context.Context, targets []target, first string) (err error) {
	dir, err := os.MkdirTemp("", "frontispiece-release-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tree := filepath.Join(dir, "tree")
	if _, err := command(ctx, ".", nil, "git", "clone", "--quiet", "--no-hardlinks", ".", tree); err != nil {
		return err
	}
	second, err := releaseInto(ctx, filepath.Join(dir, "dist"), tree, targets, filepath.Join(dir, "cache"))
	if err != nil {
		return err
	}
	if first != second {
		return fmt.Errorf("two builds of one commit differ:\n%s\n%s", strings.TrimSpace(first), strings.TrimSpace(second))
	}
	return nil
}
