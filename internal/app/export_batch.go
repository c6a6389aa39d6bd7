package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"billsync/internal/export"
	"billsync/internal/store"
)

// batchOptions are what a batch keeps of how its files are written.
type batchOptions struct {
	export.Options
	Balances map[string]int64 `json:"balances,omitempty"` // see ExportOptions
}

// exportPatience is how long one export waits for another to be done.
const exportPatience = 2 * time.Minute

// exportLock keeps others from making batches. Without it two exports could fill the
// same one: a batch that is not done is for whoever comes next.
func (a *App) exportLock(ctx context.Context, doing string) (unlock func(), err error) {
	lock, err := a.patiently(ctx, exportPatience, "exporting", func() (*store.Lock, error) {
		return store.TryExportLock(a.cfg.Database.URL, doing, a.now())
	})
	if err != nil {
		return nil, withCode(err)
	}
	return func() { a.logged("giving the lock back", lock.Unlock) }, nil
}

// exportNew exports what its target has not got yet, or what it was given in a batch
// that was interrupted.
func (a *App) exportNew(ctx context.Context, o *ExportOptions) (ExportResult, error) {
	x := exporter{app: a, o: o, layout: export.LayoutNamed(o.Format)}
	st, err := a.readLines(ctx)
	if err != nil {
		return ExportResult{}, err
	}
	if !o.Dry {
		a.logged("closing the database", st.Close)
		unlock, err := a.exportLock(ctx, "export "+o.Format)
		if err != nil {
			return ExportResult{}, err
		}
		defer unlock()
		if st, err = a.write(ctx); err != nil {
			return ExportResult{}, err
		}
	}
	defer a.logged("closing the database", st.Close)
	batch, err := x.unfinished(ctx, st)
	if err != nil {
		return ExportResult{}, withCode(err)
	}
	resumed := batch != nil
	if resumed && o.Dry {
		return ExportResult{Batch: batch, Lines: batch.Lines, Resumed: true}, nil
	}
	if batch == nil {
		if batch, err = x.newBatch(ctx, st); err != nil || batch == nil {
			return x.result, withCode(err)
		}
	}
	if batch.State != store.ExportWriting {
		if err := st.ChooseExport(ctx, batch); err != nil || batch.Lines == 0 {
			return ExportResult{}, withCode(err)
		}
	}
	x.result = ExportResult{Resumed: resumed}
	return x.deliver(ctx, st, batch)
}

// deliver writes the files of a batch, and notes that they are in place.
func (x *exporter) deliver(ctx context.Context, st *store.Store, batch *store.ExportBatch) (ExportResult, error) {
	if err := x.ofBatch(batch); err != nil {
		return x.result, err
	}
	err := st.View(ctx, func(t *store.Tx) error { return x.books(t, nil) })
	if err == nil {
		batch.Files = x.kept()
		err = st.FinishExport(ctx, batch, x.app.now())
	}
	return x.result, withCode(err)
}

// unfinished returns the batch of the target that was interrupted, if there is one
// and it is what is asked for.
func (x *exporter) unfinished(ctx context.Context, st *store.Store) (batch *store.ExportBatch, err error) {
	err = st.View(ctx, func(t *store.Tx) (err error) {
		batch, err = t.OpenExport(x.o.Target)
		return err
	})
	if err != nil || batch == nil {
		return nil, err
	}
	options, err := x.options()
	if err != nil {
		return nil, err
	}
	filter, err := json.Marshal(batch.Filter)
	if err != nil {
		return nil, err
	}
	wanted, err := json.Marshal(x.o.filter())
	if err != nil {
		return nil, err
	}
	if batch.Format != x.o.Format || batch.Options != options || string(filter) != string(wanted) {
		return nil, &InputError{fmt.Sprintf("batch %d to %s was interrupted, and is something else than this", batch.ID, batch.Target),
			fmt.Sprintf("finish it first: \"syncer export --repeat %d -o PLACE\"", batch.ID)}
	}
	return batch, nil
}

func (x *exporter) options() (string, error) {
	text, err := json.Marshal(batchOptions{x.o.Options, x.o.Balances})
	return string(text), err
}

// newBatch begins a batch; nil if there is nothing to be in it, or nothing is to be
// done.
func (x *exporter) newBatch(ctx context.Context, st *store.Store) (*store.ExportBatch, error) {
	x.choice = store.ExportChoice{ExportFilter: x.o.filter(), Target: x.o.Target}
	some := false
	err := st.View(ctx, func(t *store.Tx) (err error) {
		if err := x.known(t); err != nil {
			return err
		}
		if !x.o.Dry {
			if err := x.fits(t); err != nil {
				return err
			}
			if some, err = t.ExportsAny(&x.choice); err != nil || !some {
				return err
			}
			return x.placeable(t)
		}
		if err := x.plan(t); err != nil {
			return err
		}
		return x.foresee()
	})
	if err != nil || !some {
		return nil, err
	}
	options, err := x.options()
	return &store.ExportBatch{
		Target: x.o.Target, Format: x.o.Format, State: store.ExportChoosing, CreatedAt: x.app.now(), Filter: x.choice.ExportFilter, Options: options,
	}, err
}

// placeable makes sure, before a batch is noted, that its files can be put where they
// are wanted: what is refused changes nothing.
func (x *exporter) placeable(t *store.Tx) error {
	if err := x.free(); err != nil {
		return err
	}
	dir, single := x.place()
	if x.single = single; single && !x.layout.Whole {
		if err := x.plan(t); err != nil {
			return err
		}
		if _, err := x.parts(); err != nil {
			return err
		}
	}
	files, err := x.begin(dir)
	if err != nil {
		return err
	}
	return files.Close()
}

// fits makes sure that the format can write the currencies there are. What the target
// has got already costs more to find out, and is looked at only if it matters.
func (x *exporter) fits(t *store.Tx) error {
	all := store.ExportChoice{ExportFilter: x.choice.ExportFilter}
	odd := false
	err := t.ExportGroups(&all, false, func(g *store.ExportGroup) error {
		odd = odd || x.layout.Fits(g.Currency) != nil
		return nil
	})
	if err != nil || !odd {
		return err
	}
	return x.plan(t)
}

// exportAgain writes the files of a batch once more.
func (a *App) exportAgain(ctx context.Context, o *ExportOptions) (ExportResult, error) {
	st, err := a.look(ctx)
	if err != nil {
		return ExportResult{}, err
	}
	defer a.logged("closing the database", st.Close)
	batch, err := repeated(ctx, st, o)
	if err != nil {
		return ExportResult{}, err
	}
	again := *o
	again.Format, again.Target = batch.Format, batch.Target
	x := exporter{app: a, o: &again, layout: export.LayoutNamed(batch.Format)}
	switch {
	case x.layout == nil:
		return ExportResult{}, fmt.Errorf("batch %d is %s, which this version does not know", batch.ID, batch.Format)
	case batch.State != store.ExportDone:
		return x.finish(ctx)
	}
	return x.repeat(ctx, st, batch)
}

// repeat writes the files of a batch that is done.
func (x *exporter) repeat(ctx context.Context, st *store.Store, batch *store.ExportBatch) (ExportResult, error) {
	if err := x.ofBatch(batch); err != nil {
		return ExportResult{}, err
	}
	x.wanted = batch.Files
	err := st.View(ctx, func(t *store.Tx) error { return x.books(t, nil) })
	return x.result, withCode(err)
}

// repeated returns the batch that is to be written again.
func repeated(ctx context.Context, st *store.Store, o *ExportOptions) (batch *store.ExportBatch, err error) {
	err = st.View(ctx, func(t *store.Tx) (err error) {
		batch, err = t.Export(o.Repeat)
		return err
	})
	switch {
	case err != nil:
		return nil, withCode(err)
	case batch == nil:
		return nil, &InputError{fmt.Sprintf("there is no batch %d", o.Repeat), "\"syncer export --list\" shows those that there are"}
	case o.Format != "" && o.Format != batch.Format:
		return nil, &InputError{fmt.Sprintf("batch %d is %s, not %s", batch.ID, batch.Format, o.Format), "a batch is repeated as it was; leave the format out"}
	}
	return batch, nil
}

// finish finishes a batch that was interrupted.
func (x *exporter) finish(ctx context.Context) (ExportResult, error) {
	a := x.app
	unlock, err := a.exportLock(ctx, "export "+x.o.Format)
	if err != nil {
		return ExportResult{}, err
	}
	defer unlock()
	st, err := a.write(ctx)
	if err != nil {
		return ExportResult{}, err
	}
	defer a.logged("closing the database", st.Close)
	batch, err := repeated(ctx, st, x.o)
	if err != nil {
		return ExportResult{}, err
	}
	switch batch.State {
	case store.ExportDone: // by somebody else, who had the lock
		return x.repeat(ctx, st, batch)
	case store.ExportChoosing:
		if err := st.ChooseExport(ctx, batch); err != nil || batch.Lines == 0 {
			return ExportResult{}, withCode(err)
		}
	}
	x.result.Resumed = true
	return x.deliver(ctx, st, batch)
}

// ofBatch makes an export one of a batch.
func (x *exporter) ofBatch(batch *store.ExportBatch) error {
	var kept batchOptions
	if err := json.Unmarshal([]byte(batch.Options), &kept); err != nil {
		return fmt.Errorf("batch %d: %w", batch.ID, err)
	}
	o := *x.o
	o.Options, o.Balances = kept.Options, kept.Balances
	f := batch.Filter
	o.Accounts, o.From, o.To, o.Card = f.Accounts, Month(f.From), Month(f.To), f.Card
	x.o, x.madeAt, x.result.Batch = &o, batch.CreatedAt, batch
	x.choice = store.ExportChoice{ExportFilter: f, Batch: batch}
	x.balances = batch.AsOf.Balances
	return nil
}

// compare makes sure that a batch is repeated byte for byte.
func (x *exporter) compare() error {
	if x.wanted == nil {
		return nil
	}
	want := map[string]string{}
	for _, f := range x.wanted {
		want[f.Name] = f.SHA256
	}
	for _, f := range x.kept() {
		name := f.Name
		if x.single && len(want) == 1 {
			name = x.wanted[0].Name // under another name
		}
		if want[name] != f.SHA256 {
			return errors.Join(&Verdict{3, fmt.Sprintf("batch %d cannot be written again as it was: %s would be other bytes", x.result.Batch.ID, f.Name),
				"the report time zone was changed since, or the database by hand; nothing was written"})
		}
		delete(want, name)
	}
	for name := range want {
		return &Verdict{3, fmt.Sprintf("batch %d cannot be written again as it was: there is nothing for %s any more", x.result.Batch.ID, name),
			"the report time zone was changed since, or the database by hand; nothing was written"}
	}
	return nil
}

// Exports returns the batches that are remembered, the latest first.
func (a *App) Exports(ctx context.Context) (list []store.ExportBatch, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) (err error) {
		list, err = t.Exports()
		return err
	})
	return list, withCode(err)
}
