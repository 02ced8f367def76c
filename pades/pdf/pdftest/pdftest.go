// Package pdftest makes small PDF files for tests, well-formed or wrong in one chosen way,
// so that tests need no files from elsewhere. It writes what it is told; nothing of the
// reader is used, so a mistake there does not hide behind the same mistake here.
package pdftest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Builder writes a file object by object and section by section.
type Builder struct {
	bytes.Buffer
	Shift   int  // added to every offset that is written down
	Joined  bool // consecutive numbers share a subsection of a table, as they do in most files
	places  map[int]int
	packed  map[int][2]int // object number to object stream and index
	prev    int
	highest int
}

// New begins a file with what precedes the first object, such as "%PDF-1.7\n".
func New(header string) *Builder {
	b := &Builder{places: map[int]int{}, packed: map[int][2]int{}, prev: -1}
	b.WriteString(header)
	return b
}

func (b *Builder) at(num int) {
	b.places[num] = b.Len()
	b.highest = max(b.highest, num)
}

// Object writes an indirect object.
func (b *Builder) Object(num int, body string) {
	b.at(num)
	fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", num, body)
}

// Stream writes a stream; dict is what its dictionary holds besides Length.
func (b *Builder) Stream(num int, dict, data string) {
	b.Object(num, fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", dict, len(data), data))
}

// Pack writes an object stream with the given objects, by number.
func (b *Builder) Pack(num int, objects map[int]string) {
	var head, body bytes.Buffer
	var nums []int
	for n := range objects {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	for i, n := range nums {
		fmt.Fprintf(&head, "%d %d ", n, body.Len())
		body.WriteString(objects[n] + "\n")
		b.packed[n] = [2]int{num, i}
		b.highest = max(b.highest, n)
	}
	b.Stream(num, fmt.Sprintf("/Type /ObjStm /N %d /First %d", len(nums), head.Len()), head.String()+body.String())
}

// Table ends a revision with a cross-reference table of what was written since the last.
func (b *Builder) Table(trailer string) {
	start := b.Len()
	b.WriteString("xref\n")
	if b.prev < 0 {
		b.WriteString("0 1\n0000000000 65535 f \n")
	}
	var nums []int
	for n := range b.places {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	for i, n := range nums {
		switch run := i; {
		case !b.Joined:
			fmt.Fprintf(b, "%d 1\n", n)
		case i == 0 || nums[i-1] != n-1:
			for run < len(nums) && nums[run]-run == n-i {
				run++
			}
			fmt.Fprintf(b, "%d %d\n", n, run-i)
		}
		fmt.Fprintf(b, "%010d 00000 n \n", b.places[n]+b.Shift)
	}
	if b.prev >= 0 {
		trailer += fmt.Sprintf(" /Prev %d", b.prev+b.Shift)
	}
	fmt.Fprintf(b, "trailer\n<<%s /Size %d>>\n", trailer, b.highest+1)
	b.end(start)
}

// Packed says that an object lies in an object stream, as its first, whether or not it does.
func (b *Builder) Packed(stream, num int) {
	b.packed[num] = [2]int{stream, 0}
	b.highest = max(b.highest, num)
}

// Index ends a revision with a cross-reference stream under the given number.
func (b *Builder) Index(num int, trailer string) {
	start := b.Len()
	b.at(num)
	var nums []int
	for n := range b.places {
		nums = append(nums, n)
	}
	for n := range b.packed {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	var index, data bytes.Buffer
	for _, n := range nums {
		fmt.Fprintf(&index, "%d 1 ", n)
		if p, ok := b.packed[n]; ok {
			data.Write([]byte{2, byte(p[0] >> 16), byte(p[0] >> 8), byte(p[0]), byte(p[1] >> 8), byte(p[1])})
			continue
		}
		at := b.places[n] + b.Shift
		data.Write([]byte{1, byte(at >> 16), byte(at >> 8), byte(at), 0, 0})
	}
	if b.prev >= 0 {
		trailer += fmt.Sprintf(" /Prev %d", b.prev+b.Shift)
	}
	fmt.Fprintf(b, "%d 0 obj\n<</Type /XRef /W [1 3 2] /Index [%s] /Size %d /Length %d %s>>\nstream\n", num, index.String(), b.highest+1, data.Len(), trailer)
	b.Write(data.Bytes())
	b.WriteString("\nendstream\nendobj\n")
	b.end(start)
}

func (b *Builder) end(start int) {
	fmt.Fprintf(b, "startxref\n%d\n%%%%EOF\n", start+b.Shift)
	b.prev = start
	clear(b.places)
	clear(b.packed)
}

// Prev is where the newest section begins, -1 before the first.
func (b *Builder) Prev() int { return b.prev }

// Pages writes a catalog (1), a page tree (2) and pages (3 …) with the given extra entries
// in the catalog.
func (b *Builder) Pages(n int, catalog string) {
	b.Object(1, "<</Type /Catalog /Pages 2 0 R "+catalog+">>")
	kids := ""
	for i := range n {
		kids += fmt.Sprintf("%d 0 R ", 3+i)
	}
	b.Object(2, fmt.Sprintf("<</Type /Pages /Kids [%s] /Count %d>>", kids, n))
	for i := range n {
		b.Object(3+i, "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources <<>>>>")
	}
}

// Plain is a well-formed file with pages and a table.
func Plain(pages int) []byte {
	b := New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	b.Pages(pages, "")
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// Packed is a well-formed file whose catalog and pages lie in an object stream.
func Packed() []byte {
	b := New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	b.Pack(4, map[int]string{
		1: "<</Type /Catalog /Pages 2 0 R>>",
		2: "<</Type /Pages /Kids [3 0 R] /Count 1>>",
		3: "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources <<>>>>",
	})
	b.Index(5, "/Root 1 0 R")
	return b.Bytes()
}

// Large is a file of at least size bytes, most of it one stream of zeros that is not held
// in memory. Read counts what was read.
type Large struct {
	head, tail []byte
	zeros      int64
	Read       int64
}

// NewLarge makes one.
func NewLarge(size int64) *Large {
	b := New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	b.Pages(1, "")
	b.at(4)
	fmt.Fprintf(b, "4 0 obj\n<</Length %d>>\nstream\n", size)
	cut := b.Len()
	b.Shift = int(size)
	b.WriteString("\nendstream\nendobj\n")
	for n := range b.places { // these lie before the stream
		b.places[n] -= b.Shift
	}
	b.Table("/Root 1 0 R")
	all := b.Bytes()
	return &Large{head: all[:cut], tail: all[cut:], zeros: size}
}

// Size is the length of the file.
func (l *Large) Size() int64 { return int64(len(l.head)+len(l.tail)) + l.zeros }

// ReadAt reads.
func (l *Large) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		var part []byte
		switch pos := at + int64(n); {
		case pos < int64(len(l.head)):
			part = l.head[pos:]
		case pos < int64(len(l.head))+l.zeros:
			k := min(int64(len(p)-n), int64(len(l.head))+l.zeros-pos)
			clear(p[n : n+int(k)])
			n += int(k)
			continue
		case pos < l.Size():
			part = l.tail[pos-int64(len(l.head))-l.zeros:]
		default:
			err = io.EOF
		}
		if err != nil {
			break
		}
		n += copy(p[n:], part)
	}
	l.Read += int64(n)
	return n, err
}
