package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
)

type usageCmd struct {
	Month        string  `help:"A month such as 2026-11. Left out: the present one, in UTC." placeholder:"YYYY-MM"`
	DeliveryGB   float64 `name:"delivery-gb" help:"What readers download in a month, in GB, as the CDN counts it; left out, delivery is shown per 100 GB." placeholder:"GB"`
	Requests     float64 `help:"How often they ask for a picture in a month." placeholder:"N"`
	StoragePrice float64 `default:"0.023" help:"US dollars for a GB kept for a month."`
	PutPrice     float64 `default:"0.005" help:"US dollars for 1,000 puts."`
	GBPrice      float64 `name:"delivery-price" default:"0.085" help:"US dollars for a GB delivered."`
	RequestPrice float64 `default:"0.01" help:"US dollars for 10,000 requests delivered."`
	JSON         bool    `help:"Print JSON, for programs."`
}

// pricesOf says where the default prices are from, so that nobody takes them
// for today's.
const pricesOf = "list prices of S3 Standard in us-east-1 and of CloudFront in North America and Europe, 2025, without free tiers"

// Help is what --help says below the usage.
func (*usageCmd) Help() string {
	return `Example:

    frontispiece usage --month 2026-11 --delivery-gb 250 --requests 4000000`
}

// Validate is called by kong.
func (c *usageCmd) Validate() error {
	if c.Month != "" {
		if _, err := time.Parse("2006-01", c.Month); err != nil {
			return fmt.Errorf("--month must be a year and a month such as 2026-11, got %.20q", c.Month)
		}
	}
	for name, v := range map[string]float64{
		"delivery-gb": c.DeliveryGB, "requests": c.Requests, "storage-price": c.StoragePrice, "put-price": c.PutPrice,
		"delivery-price": c.GBPrice, "request-price": c.RequestPrice,
	} {
		if !(v >= 0) {
			return fmt.Errorf("--%s must not be negative, got %g", name, v)
		}
	}
	return nil
}

// bill is a month's usage. Names and meanings of the machine's form stay;
// members may be added.
type bill struct {
	Month      string          `json:"month"`
	Generators []generatorBill `json:"generators"`
	Pictures   int64           `json:"pictures"`
	Cost       float64         `json:"cost"`          // of generating, US dollars
	Cap        float64         `json:"cap,omitempty"` // SPEND_CAP
	Storage    storageBill     `json:"storage"`
	Estimate   estimate        `json:"estimate"`
}

type generatorBill struct {
	Generator string  `json:"generator"`
	Pictures  int64   `json:"pictures"`
	Refused   int64   `json:"refused"`
	Unpriced  int64   `json:"unpriced"`
	Requests  int64   `json:"requests"`
	Cost      float64 `json:"cost"`
}

type storageBill struct {
	Pictures int64 `json:"pictures"` // that are kept, of every month
	Objects  int64 `json:"objects"`
	Bytes    int64 `json:"bytes"`
	Puts     int64 `json:"puts"` // of this month
	Stored   int64 `json:"stored"`
	New      int64 `json:"new_bytes"`
}

// estimate is what keeping and delivering costs in a month, in US dollars.
type estimate struct {
	Storage    float64 `json:"storage"`
	Puts       float64 `json:"puts"`
	Delivery   float64 `json:"delivery"`
	Requests   float64 `json:"requests"`
	DeliveryGB float64 `json:"delivery_gb"`
	Views      float64 `json:"delivery_requests"`
	Prices     string  `json:"prices"`
}

// gigabyte is the unit of storage and delivery prices.
const gigabyte = 1 << 30

// Run prints what a month's pictures took and cost.
func (c *usageCmd) Run(ctx context.Context, s *session) error {
	o, cfg, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // nothing was written
	b, err := c.bill(ctx, &o.Store.Reader)
	if err != nil {
		return err
	}
	b.Cap = float64(cfg.SpendCap)
	if c.JSON {
		return printJSON(s.out, b)
	}
	s.printBill(b, c)
	return nil
}

func (c *usageCmd) bill(ctx context.Context, r *store.Reader) (bill, error) {
	b := bill{Month: c.Month, Generators: []generatorBill{}}
	var err error
	if b.Month == "" {
		if b.Month, err = r.Month(ctx); err != nil {
			return b, err
		}
	}
	usage, err := r.Usage(ctx, b.Month)
	if err != nil {
		return b, err
	}
	for _, u := range usage {
		b.Generators = append(b.Generators, generatorBill{u.Generator, u.Pictures, u.Refused, u.Unpriced, u.Requests, u.Cost})
		b.Pictures += u.Pictures
		b.Cost += u.Cost
	}
	all, err := r.Kept(ctx, "")
	if err != nil {
		return b, err
	}
	fresh, err := r.Kept(ctx, b.Month)
	if err != nil {
		return b, err
	}
	b.Storage = storageBill{all.Pictures, all.Objects, all.Bytes, fresh.Objects, fresh.Pictures, fresh.Bytes}
	b.Estimate = estimate{
		Storage: float64(all.Bytes) / gigabyte * c.StoragePrice, Puts: float64(fresh.Objects) / 1000 * c.PutPrice,
		Delivery: c.DeliveryGB * c.GBPrice, Requests: c.Requests / 10_000 * c.RequestPrice,
		DeliveryGB: c.DeliveryGB, Views: c.Requests, Prices: pricesOf,
	}
	return b, nil
}

func (s *session) printBill(b bill, c *usageCmd) {
	s.out.line("Generated in %s", b.Month)
	if len(b.Generators) == 0 {
		s.out.line("  nothing")
	} else {
		s.figures(func(row func(cells ...any)) {
			row("generator", "pictures", "no picture", "cost", "a picture", "")
			for _, g := range b.Generators {
				row(oneLine(g.Generator), count(g.Pictures), count(g.Refused), costOf(g), each(g), note(g))
			}
			row("in all", count(b.Pictures), "", dollars(b.Cost), "", capNote(b))
		})
	}
	s.out.line("")
	s.out.line("Kept and delivered, estimated for a month")
	e := b.Estimate
	s.figures(func(row func(cells ...any)) {
		row("what", "how much", "price", "cost", "")
		row("storage", fmt.Sprintf("%s in %s objects", size(b.Storage.Bytes), count(b.Storage.Objects)), fmt.Sprintf("$%g a GB", c.StoragePrice), dollars(e.Storage), counted(b.Storage.Pictures, "picture", "pictures")+" of every month")
		row("puts", count(b.Storage.Puts), fmt.Sprintf("$%g a 1,000", c.PutPrice), dollars(e.Puts), counted(b.Storage.Stored, "new picture", "new pictures")+", "+size(b.Storage.New))
		total := e.Storage + e.Puts
		if c.DeliveryGB > 0 || c.Requests > 0 {
			row("delivery", fmt.Sprintf("%g GB", c.DeliveryGB), fmt.Sprintf("$%g a GB", c.GBPrice), dollars(e.Delivery), "")
			row("requests", count(int64(c.Requests)), fmt.Sprintf("$%g a 10,000", c.RequestPrice), dollars(e.Requests), "")
			total += e.Delivery + e.Requests
		} else {
			row("delivery", "for each 100 GB", fmt.Sprintf("$%g a GB", c.GBPrice), dollars(100*c.GBPrice), "not in the sum")
		}
		row("in all", "", "", dollars(total), "")
	})
	s.out.line("")
	s.out.line("Prices are %s; flags of this command change them, and --delivery-gb and --requests add what readers fetch.", pricesOf)
}

// figures prints rows whose first column and last are to the left and the others
// to the right.
func (s *session) figures(fill func(row func(cells ...any))) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	var first []string
	fill(func(cells ...any) {
		first = append(first, fmt.Sprint(cells[0]))
		for _, cell := range cells[1 : len(cells)-1] {
			fmt.Fprintf(w, "%v\t", cell) //nolint:errcheck // a strings.Builder takes everything
		}
		fmt.Fprintf(w, "  %v\n", cells[len(cells)-1]) //nolint:errcheck // as above
	})
	w.Flush() //nolint:errcheck // as above
	widest := 0
	for _, f := range first {
		widest = max(widest, len(f))
	}
	for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		s.out.line("%s", strings.TrimRight(fmt.Sprintf("  %-*s%s", widest, first[i], line), " "))
	}
}

// costOf is what is known of a generator's cost.
func costOf(g generatorBill) string {
	if g.Unpriced > 0 && g.Cost == 0 {
		return "unknown"
	}
	return dollars(g.Cost)
}

func each(g generatorBill) string {
	priced := g.Pictures - g.Unpriced
	if priced == 0 || g.Cost == 0 {
		return ""
	}
	return dollars(g.Cost / float64(priced))
}

func note(g generatorBill) string {
	switch {
	case g.Requests > 0:
		return counted(g.Requests, "request", "requests")
	case g.Unpriced > 0 && g.Cost > 0:
		return fmt.Sprintf("of %s the cost is unknown", plural(int(g.Unpriced), "picture", "pictures"))
	case g.Unpriced > 0:
		return "add ?cost= to its entry of GENERATORS if it has one"
	default:
		return ""
	}
}

func capNote(b bill) string {
	if b.Cap == 0 {
		return "no cap (SPEND_CAP)"
	}
	return fmt.Sprintf("%.0f%% of the cap of %s", 100*b.Cost/b.Cap, dollars(b.Cap))
}

// dollars has cents, and two digits that mean something below one.
func dollars(v float64) string {
	switch {
	case v != 0 && v < 0.01:
		return fmt.Sprintf("$%.2g", v)
	default:
		return fmt.Sprintf("$%.2f", v)
	}
}

// counted is a count with its noun.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// count groups a number's digits.
func count(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
