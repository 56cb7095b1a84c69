package v1

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html.tmpl
var docsTemplate string

//go:embed docs.css
var docsCSS []byte

// documentation serves the OpenAPI description and the page that is made of it.
// Both are made once: they change only with the program.
func (a *API) documentation(mux *http.ServeMux) {
	spec, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		panic(fmt.Errorf("encode OpenAPI: %w", err)) // unreachable: made of our own types
	}
	var page bytes.Buffer
	if err := template.Must(template.New("docs").Parse(docsTemplate)).Execute(&page, docsOf(a.huma.OpenAPI())); err != nil {
		panic(fmt.Errorf("make docs: %w", err)) // unreachable: likewise
	}
	serve := func(path, contentType string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(body) // the client hung up: nobody to tell
		})
	}
	serve("/openapi.json", "application/json", append(spec, '\n'))
	serve("/docs", "text/html; charset=utf-8", page.Bytes())
	// A file of its own: the content security policy allows no inline style.
	serve("/docs/style.css", "text/css; charset=utf-8", docsCSS)
}

// docsPage is what the template shows.
type docsPage struct {
	Title, Version string
	About          []string
	Groups         []docsGroup
	Schemas        []docsSchema
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description, Role string
	Params                                       []docsField
	Body                                         string // name of a schema
	BodyRequired                                 bool
	Responses                                    []docsResponse
}

type docsResponse struct {
	Status, Description, Schema string
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, In, Type, Schema, Description, Limits string
	Required                                    bool
}

func docsOf(api *huma.OpenAPI) docsPage {
	p := docsPage{Title: api.Info.Title, Version: api.Info.Version, About: strings.Split(api.Info.Description, "\n\n")}
	for _, tag := range api.Tags {
		p.Groups = append(p.Groups, docsGroup{Name: tag.Name, Description: tag.Description})
	}
	for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
		ops := operationsOf(api.Paths[path])
		for _, method := range slices.Sorted(maps.Keys(ops)) {
			op := ops[method]
			i := slices.IndexFunc(p.Groups, func(g docsGroup) bool { return slices.Contains(op.Tags, g.Name) })
			p.Groups[i].Operations = append(p.Groups[i].Operations, docsOperationOf(method, path, op))
		}
	}
	schemas := api.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		p.Schemas = append(p.Schemas, docsSchema{Name: name, Fields: docsFields(schemas[name])})
	}
	return p
}

func operationsOf(item *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}
	maps.DeleteFunc(all, func(_ string, op *huma.Operation) bool { return op == nil })
	return all
}

func docsOperationOf(method, path string, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	d.Role, _ = op.Extensions["x-role"].(string)
	for _, param := range op.Parameters {
		f := docsField{Name: param.Name, In: param.In, Description: param.Description, Required: param.Required}
		f.Type, f.Schema = typeOf(param.Schema)
		f.Limits = limitsOf(param.Schema)
		d.Params = append(d.Params, f)
	}
	if op.RequestBody != nil {
		_, d.Body = typeOf(op.RequestBody.Content["application/json"].Schema)
		d.BodyRequired = op.RequestBody.Required
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		r := docsResponse{Status: status, Description: response.Description}
		for _, media := range response.Content {
			_, r.Schema = typeOf(media.Schema)
		}
		d.Responses = append(d.Responses, r)
	}
	return d
}

func docsFields(s *huma.Schema) []docsField {
	var fields []docsField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		f := docsField{Name: name, Description: property.Description, Required: slices.Contains(s.Required, name), Limits: limitsOf(property)}
		f.Type, f.Schema = typeOf(property)
		fields = append(fields, f)
	}
	// What has to be sent comes first.
	slices.SortStableFunc(fields, func(a, b docsField) int {
		return strings.Compare(strconv.FormatBool(b.Required), strconv.FormatBool(a.Required))
	})
	return fields
}

// typeOf is a schema in words, and the name of the one that it refers to.
func typeOf(s *huma.Schema) (words, schema string) {
	switch {
	case s == nil:
		return "", ""
	case s.Ref != "":
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		return name, name
	case s.Type == huma.TypeArray:
		words, schema = typeOf(s.Items)
		return "list of " + words, schema
	case s.Format != "" && s.Type == huma.TypeString:
		return s.Format, ""
	default:
		return s.Type, ""
	}
}

func limitsOf(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	var limits []string
	add := func(format string, args ...any) { limits = append(limits, fmt.Sprintf(format, args...)) }
	values := s
	if s.Items != nil {
		values = s.Items
	}
	if len(values.Enum) > 0 {
		words := make([]string, len(values.Enum))
		for i, v := range values.Enum {
			words[i] = fmt.Sprint(v)
		}
		add("one of %s", strings.Join(words, ", "))
	}
	between(add, "", s.Minimum, s.Maximum)
	between(add, " characters", values.MinLength, values.MaxLength)
	between(add, " items", s.MinItems, s.MaxItems)
	if s.Pattern != "" {
		add("%s", s.PatternDescription)
	}
	if s.Default != nil {
		add("default %v", s.Default)
	}
	return strings.Join(limits, "; ")
}

func between[N int | float64](add func(string, ...any), unit string, low, high *N) {
	number := func(n N) string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }
	switch {
	case low != nil && high != nil:
		add("%s to %s%s", number(*low), number(*high), unit)
	case low != nil:
		add("at least %s%s", number(*low), unit)
	case high != nil:
		add("at most %s%s", number(*high), unit)
	}
}
