package pdf

import "fmt"

// Page is a leaf of the page tree.
type Page struct {
	Place
	Dict *Dict
}

const maxPagesSeen = 1 << 17

// Pages visits the pages in order until visit returns false. A node that is its own
// ancestor, or seen before, is passed over, and so is what says that it is no page; one
// that only forgot to say that it is a page counts.
func (f *File) Pages(visit func(Page) bool) error {
	c, err := f.Catalog()
	if err != nil {
		return err
	}
	at, root, err := f.Child(Place{Ref: f.Root()}, c, Name("Pages"))
	if err != nil {
		return err
	}
	w := &pageWalk{f: f, seen: map[Ref]bool{}, visit: visit, way: held{f: f, most: maxWay, what: "lists on the way to a page"}}
	return w.node(at, root, 0)
}

type pageWalk struct {
	f     *File
	seen  map[Ref]bool
	visit func(Page) bool
	stop  bool
	way   held
}

func (w *pageWalk) node(at Place, o Object, depth int) error {
	d, ok := o.(*Dict)
	if !ok || w.stop {
		return nil
	}
	if err := w.f.spend(costStep); err != nil {
		return err
	}
	if !at.Direct() {
		if w.seen[at.Ref] {
			return nil
		}
		w.seen[at.Ref] = true
	}
	if depth > maxDepth || len(w.seen) > maxPagesSeen {
		return fmt.Errorf("%w: page tree at object %d", ErrTooComplex, at.Ref.Num)
	}
	kids, err := w.f.Resolve(d.Get("Kids"))
	if err != nil {
		return err
	}
	list, ok := kids.(Array)
	if !ok {
		if t, _ := w.f.Resolve(d.Get("Type")); t == Name("Pages") || t == Name("Catalog") {
			return nil
		}
		w.stop = !w.visit(Page{at, d})
		return nil
	}
	listAt, _, err := w.f.Child(at, d, Name("Kids"))
	if err != nil {
		return err
	}
	n, err := w.way.add(list)
	if err != nil {
		return err
	}
	for i := range list {
		kidAt, kid, err := w.f.Child(listAt, list, i)
		if err != nil {
			return err
		}
		if err := w.node(kidAt, kid, depth+1); err != nil || w.stop {
			return err
		}
	}
	w.way.bytes -= n
	return nil
}

// FirstPage is Page of 1.
func (f *File) FirstPage() (Page, error) { return f.Page(1) }

// Page is a page by its number in reading order, from 1; ErrNoPage when there are fewer.
func (f *File) Page(n int) (page Page, err error) {
	left := n
	err = f.Pages(func(p Page) bool {
		if left--; left == 0 {
			page = p
		}
		return left > 0
	})
	if err == nil && page.Dict == nil {
		err = f.noPage(n)
	}
	return page, err
}

// noPage names the root of the page tree, or what stands in its place.
func (f *File) noPage(n int) error {
	c, err := f.Catalog()
	if err != nil {
		return err
	}
	at, root, err := f.Child(Place{Ref: f.Root()}, c, Name("Pages"))
	if err != nil {
		return err
	}
	switch _, ok := root.(*Dict); {
	case at.Direct() && !ok:
		return fmt.Errorf("%w: object %d, the catalog, has no page tree", ErrNoPage, at.Ref.Num)
	case !ok:
		return fmt.Errorf("%w: object %d, the page tree's root, is missing or no dictionary", ErrNoPage, at.Ref.Num)
	}
	return fmt.Errorf("%w %d under object %d, the page tree's root", ErrNoPage, n, at.Ref.Num)
}

// PageCount is the root's Count; when that cannot be, the pages are counted.
func (f *File) PageCount() (int, error) {
	c, err := f.Catalog()
	if err != nil {
		return 0, err
	}
	root, err := f.Dict(c.Get("Pages"))
	if err != nil {
		return 0, err
	}
	if n, ok := f.int(root.Get("Count")); ok && n > 0 && n <= f.Size/16 && n <= maxObject {
		return int(n), nil
	}
	n := 0
	err = f.Pages(func(Page) bool { n++; return true })
	return n, err
}

// Whole refuses what was rebuilt out of a part of a file: one that was cut off between two
// objects scans well, and has lost the pages that came after.
func (f *File) Whole() error {
	if !f.Repaired {
		return nil
	}
	want, err := f.PageCount()
	if err != nil {
		return err
	}
	have := 0
	if err := f.Pages(func(Page) bool { have++; return have < want }); err != nil {
		return err
	}
	if have < want {
		return fmt.Errorf("%w: only %d of %d pages are left", ErrTruncated, have, want)
	}
	return nil
}
