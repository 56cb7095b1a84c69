package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree is a folder with everything that an archive takes; the programs in it
// are this test's own binary, which says like any other what it is made of.
func tree(t *testing.T) (dir, bin string) {
	t.Helper()
	dir = t.TempDir()
	bin = filepath.Join(dir, "bin")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		write(t, filepath.Join(bin, p), program)
	}
	for _, p := range papers {
		write(t, filepath.Join(dir, p), []byte("about it\n"))
	}
	return dir, bin
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// What differs between two machines, dates, folders and the order of a map,
// must not show.
func TestArchivesAreTheSameBytes(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 11, 25, 22, 41, 0, 0, time.FixedZone("", 3600))
	var archives, contents [2][]byte
	for i := range 2 {
		dir, bin := tree(t)
		then := time.Unix(int64(1e9*(i+1)), 0)
		archive, list := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "a.json")
		if err := writeContents(list, bin, when); err != nil {
			t.Fatal(err)
		}
		for _, p := range programs { // packing whole programs takes seconds and shows no more
			write(t, filepath.Join(bin, p), []byte(p))
		}
		if err := os.Chtimes(filepath.Join(bin, "api"), then, then); err != nil {
			t.Fatal(err)
		}
		if err := writeArchive(archive, "frontispiece", dir, bin, when); err != nil {
			t.Fatal(err)
		}
		archives[i], contents[i] = read(t, archive), read(t, list)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of the same files differ")
	}
	if diff := cmp.Diff(string(contents[0]), string(contents[1])); diff != "" {
		t.Errorf("two lists of the same programs differ\n%s", diff)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContentsNameWhatIsLinked(t *testing.T) {
	t.Parallel()
	dir, bin := tree(t)
	file := filepath.Join(dir, "a.json")
	if err := writeContents(file, bin, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	var got struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version, Purl string
			Hashes              []struct{ Alg, Content string }
		} `json:"components"`
	}
	if err := json.Unmarshal(read(t, file), &got); err != nil {
		t.Fatal(err)
	}
	if got.BOMFormat != "CycloneDX" {
		t.Errorf("bomFormat is %q", got.BOMFormat)
	}
	i := slices.IndexFunc(got.Components, func(c struct {
		Name, Version, Purl string
		Hashes              []struct{ Alg, Content string }
	},
	) bool {
		return c.Name == "github.com/CycloneDX/cyclonedx-go"
	})
	if i < 0 {
		t.Fatalf("this test links cyclonedx-go, and the list has %+v", got.Components)
	}
	c := got.Components[i]
	if c.Purl != "pkg:golang/"+c.Name+"@"+c.Version || len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 {
		t.Errorf("it is listed as %+v", c)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all, err := choose("")
	if err != nil || len(all) != 4 {
		t.Errorf("all are %v, %v", all, err)
	}
	some, err := choose("darwin/arm64,linux/amd64")
	if err != nil || len(some) != 2 || some[0] != (target{"darwin", "arm64"}) {
		t.Errorf("some are %v, %v", some, err)
	}
	if _, err := choose("windows/amd64"); err == nil {
		t.Error("we do not build for Windows")
	}
}

// The version of Go is the repository's and not the machine's.
func TestToolchain(t *testing.T) {
	t.Parallel()
	ours, err := toolchain(filepath.Join("..", ".."))
	if err != nil || !strings.HasPrefix(ours, "go1.") {
		t.Errorf("ours is %q, %v", ours, err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), []byte("module x\n\ngo 1.26.0\n"))
	if got, err := toolchain(dir); err == nil || !strings.Contains(err.Error(), "toolchain") {
		t.Errorf("without the line: %q, %v", got, err)
	}
}
