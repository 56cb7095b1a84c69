package picture

import (
	"encoding/binary"
	"slices"
)

const (
	maxProfile        = 4 << 20 // the largest press profiles are half of it
	profileHeader     = 128
	jpegProfilePart   = maxSegment - len(iccID) - 2
	maxJPEGProfilePar = 255
)

// checkProfile returns the ICC profile without whatever follows its own end,
// or nil when it is none: a colour profile is the one block that is copied
// without being understood, so it has to look like one.
func checkProfile(b []byte) []byte {
	if len(b) < profileHeader || len(b) > maxProfile || string(b[36:40]) != "acsp" {
		return nil
	}
	n := binary.BigEndian.Uint32(b)
	if n < profileHeader || uint64(n) > uint64(len(b)) {
		return nil
	}
	return b[:n:n]
}

// isRGBProfile reports whether the profile describes RGB values, and so still
// holds after a picture was converted to RGB; those of CMYK and grey do not.
func isRGBProfile(b []byte) bool { return len(b) >= profileHeader && string(b[16:20]) == "RGB " }

// joinProfile puts together the parts of a JPEG's profile, each beginning with
// its number and the count of all. It returns nil unless all are there.
func joinProfile(parts [][]byte) []byte {
	if len(parts) == 0 || len(parts) > maxJPEGProfilePar {
		return nil
	}
	slices.SortStableFunc(parts, func(a, b []byte) int { return int(a[0]) - int(b[0]) })
	var profile []byte
	for i, part := range parts {
		if int(part[0]) != i+1 || int(part[1]) != len(parts) {
			return nil
		}
		profile = append(profile, part[2:]...)
	}
	return checkProfile(profile)
}

// splitProfile cuts a profile into what fits a JPEG segment.
func splitProfile(profile []byte) [][]byte {
	return slices.Collect(slices.Chunk(profile, jpegProfilePart))
}

func profileParts(profile []byte) int {
	return (len(profile) + jpegProfilePart - 1) / jpegProfilePart
}
