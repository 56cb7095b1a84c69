package main

import (
	"archive/tar"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeArchive packs the programs and what explains them. Nothing in it is of
// this machine: no owner, no date but the commit's, no order but ours.
func writeArchive(file, top, dir, bin string, when time.Time) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("make archive: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	packed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("make archive: %w", err)
	}
	w := tar.NewWriter(packed)
	for _, p := range programs {
		err = errors.Join(err, add(w, filepath.Join(bin, p), top+"/"+p, 0o755, when))
	}
	for _, p := range papers {
		err = errors.Join(err, add(w, filepath.Join(dir, p), top+"/"+filepath.Base(p), 0o644, when))
	}
	return errors.Join(err, w.Close(), packed.Close())
}

func add(w *tar.Writer, file, name string, mode int64, when time.Time) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	err = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size(), ModTime: when, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(w, f)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}

// writeContents lists the modules that the linker put into the programs, as the
// programs themselves say, with the checksums of go.sum.
func writeContents(file, bin string, when time.Time) error {
	modules := map[string]*debug.Module{}
	var main *debug.BuildInfo
	for _, p := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(bin, p))
		if err != nil {
			return fmt.Errorf("read %s: %w", p, err)
		}
		main = info
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			modules[m.Path] = m
		}
	}
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{
		Timestamp: when.UTC().Format(time.RFC3339),
		Component: &cdx.Component{
			Type: cdx.ComponentTypeApplication, Name: main.Main.Path, Version: main.Main.Version,
			PackageURL: packageURL(main.Main.Path, main.Main.Version), BOMRef: packageURL(main.Main.Path, main.Main.Version),
		},
	}
	list := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, Name: "std", Version: main.GoVersion,
		PackageURL: packageURL("std", main.GoVersion), BOMRef: packageURL("std", main.GoVersion),
	}}
	for _, m := range modules {
		c, err := componentOf(m)
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b cdx.Component) int { return strings.Compare(a.Name, b.Name) })
	b.Components = &list
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("list contents: %w", err)
	}
	return errors.Join(cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(b), out.Close())
}

func componentOf(m *debug.Module) (cdx.Component, error) {
	c := cdx.Component{
		Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version,
		PackageURL: packageURL(m.Path, m.Version), BOMRef: packageURL(m.Path, m.Version),
	}
	sum, ok := strings.CutPrefix(m.Sum, "h1:") // a SHA-256, of the module's files
	if !ok {
		return c, fmt.Errorf("module %s has no checksum: it is not from the module proxy", m.Path)
	}
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil {
		return c, fmt.Errorf("checksum of module %s: %w", m.Path, err)
	}
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	return c, nil
}

func packageURL(path, version string) string { return "pkg:golang/" + path + "@" + version }
