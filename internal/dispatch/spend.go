package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Spending says what pictures cost and may cost. The zero value knows no price
// and has no cap.
type Spending struct {
	// Cap is in US dollars a calendar month in UTC; 0: none.
	Cap float64
	// Prices are of one picture, by generator. One that is not listed costs what
	// it reports.
	Prices map[string]float64
	// Answering lists the generators that may answer a request. Needed with a Cap.
	Answering func(editorial.Request) []string
}

// codeSpendCap is the code of whatever the cap refuses.
const codeSpendCap = "spend_cap"

// aCent of a cent: sums of prices are not exact.
const aCent = 0.0001

// Price is what a picture of a generator is configured to cost; nil when
// nothing says so.
func (d *Dispatch) Price(generator string) *float64 {
	if price, ok := d.Spending.Prices[generator]; ok {
		return &price
	}
	return nil
}

// Reserve sets aside what a picture may cost before its generator is asked, so
// that workers who ask at the same moment do not pass the cap together. It
// returns why the generator may not be asked, nil when it may. What is set
// aside counts for as long as the image is being generated; whatever ends that,
// a crash too, gives it back or has it counted as spent.
func (d *Dispatch) Reserve(ctx context.Context, img editorial.Image, generator string) (refused *editorial.Failure, err error) {
	if d.Spending.Cap == 0 {
		return nil, nil
	}
	err = d.Store.InTx(ctx, func(tx *store.Tx) error {
		refused = nil
		price, err := d.expected(ctx, &tx.Reader, generator)
		if err != nil {
			return err
		}
		if price > 0 {
			if err := tx.LockSpending(ctx); err != nil {
				return err
			}
			spent, err := tx.Spent(ctx, img.ID)
			if err != nil {
				return err
			}
			if spent+price > d.Spending.Cap+aCent {
				refused = editorial.NewFailure(codeSpendCap, editorial.StageGenerate, editorial.Terminal, generator, d.capped(spent, price))
				return nil
			}
		}
		return tx.Reserve(ctx, img, price)
	})
	return refused, err
}

// Refused counts an answer that was no picture to publish. Its cost is paid all
// the same.
func (d *Dispatch) Refused(ctx context.Context, generator string, cost *float64) error {
	return d.Store.InTx(ctx, func(tx *store.Tx) error { return tx.CountRefused(ctx, generator, cost) })
}

// expected is what the next picture of a generator will probably cost.
func (d *Dispatch) expected(ctx context.Context, r *store.Reader, generator string) (float64, error) {
	if price := d.Price(generator); price != nil {
		return *price, nil
	}
	return r.MeanCost(ctx, generator)
}

// affordable refuses a request when the cap would let nobody answer it. A
// generator that costs nothing always may.
func (d *Dispatch) affordable(ctx context.Context, r *store.Reader, req editorial.Request) error {
	if d.Spending.Cap == 0 {
		return nil
	}
	least := -1.0
	for _, generator := range d.Spending.Answering(req) {
		price, err := d.expected(ctx, r, generator)
		if err != nil || price == 0 {
			return err
		}
		if least < 0 || price < least {
			least = price
		}
	}
	spent, err := r.Spent(ctx, "")
	if err != nil || spent+least <= d.Spending.Cap+aCent {
		return err
	}
	left := untilNextMonth(time.Now())
	return &editorial.Error{
		Kind: editorial.Limited, Code: codeSpendCap, Message: d.capped(spent, least),
		Details: map[string]any{"spent": spent, "cap": d.Spending.Cap, "price": least, "retry_after": int(left.Seconds())},
	}
}

// Purse is how this month's spending stands.
type Purse struct {
	Spent float64 // US dollars, with what is set aside for pictures under way
	Cap   float64 // 0: none
	// PassedOver are those of the generators asked about whose next picture
	// would pass the cap.
	PassedOver []string
}

// Purse says how the spending stands, for people: what is reserved a moment
// later may change it.
func (d *Dispatch) Purse(ctx context.Context, generators []string) (p Purse, err error) {
	p.Cap = d.Spending.Cap
	if p.Spent, err = d.Store.Spent(ctx, ""); err != nil || p.Cap == 0 {
		return p, err
	}
	for _, name := range generators {
		price, err := d.expected(ctx, &d.Store.Reader, name)
		if err != nil {
			return p, err
		}
		if price > 0 && p.Spent+price > p.Cap+aCent {
			p.PassedOver = append(p.PassedOver, name)
		}
	}
	return p, nil
}

// capped says how things stand.
func (d *Dispatch) capped(spent, price float64) string {
	return fmt.Sprintf("this month's pictures have cost $%.2f of the $%.2f that SPEND_CAP allows, and the next costs $%.2f", spent, d.Spending.Cap, price)
}

func untilNextMonth(now time.Time) time.Duration {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC).Sub(now)
}
