package picture

import (
	"errors"
	"fmt"
	"io"
)

// Code tells the ways apart in which bytes are no publishable picture. Codes
// are stored and shown to clients, so they never change.
type Code string

// The codes. Each is final for the bytes: judging them again changes nothing,
// though asking the generator again may.
const (
	CodeEmpty         Code = "picture_empty"          // no bytes at all
	CodeTooLarge      Code = "picture_too_large"      // more bytes than allowed
	CodeUnknownFormat Code = "picture_unknown_format" // neither PNG, JPEG nor WebP
	CodeBounds        Code = "picture_bounds"         // more pixels, or more work, than allowed
	CodeTruncated     Code = "picture_truncated"      // the end is missing
	CodeUndecodable   Code = "picture_undecodable"    // broken, or a variant that browsers do not show either
	CodeAnimated      Code = "picture_animated"       // more than one frame
	CodeBlank         Code = "picture_blank"          // decodes well and shows nothing
)

// Error says why bytes are no publishable picture.
type Error struct {
	Code    Code
	Message string // one sentence for a person; never quotes the bytes
	Err     error  // what the decoder said, nil when it was not asked
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Unwrap returns the decoder's error.
func (e *Error) Unwrap() error { return e.Err }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// truncated is the error of a container that ends inside what.
func truncated(what string) *Error {
	return errorf(CodeTruncated, "the bytes end inside the %s; the download or the generator was cut off", what)
}

// decodeError tells a picture that stops early from one that is broken.
func decodeError(c *container, err error) *Error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		e := truncated(c.name + " pixels")
		e.Err = err
		return e
	}
	return &Error{Code: CodeUndecodable, Message: "the " + c.name + " does not decode: " + err.Error(), Err: err}
}
