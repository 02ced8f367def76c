package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"time"

	"countersign/pades/pdf/pdftest"
)

// measureUpload: one stream, received, encrypted, hashed, inspected, on disk with fsync
// and in the database, against SHA-256 alone over the same bytes.
func measureUpload(ctx context.Context, b *bench) error {
	s, err := startSite(ctx, b, "upload", "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	v, err := s.signIn(ctx, "ada")
	if err != nil {
		return err
	}
	const size = 1 << 28
	var share, speed, limit sample
	for range 7 {
		hashed := hashSpeed(size)
		took, err := s.timedUpload(ctx, v, size)
		if err != nil {
			return err
		}
		limit = append(limit, hashed/1e6)
		speed = append(speed, size/1e6/took.Seconds())
	}
	share = ratios(speed, limit)
	b.report.tell("SHA-256, one core", "MB/s", limit)
	b.report.tell("upload of 268 MB, one stream", "MB/s", speed)
	b.report.atLeast("upload against SHA-256 of the same bytes", "", 0.20, share)
	return measureUploadMemory(ctx, b, s, v)
}

func hashSpeed(size int64) float64 {
	block := make([]byte, 1<<20)
	h := sha256.New()
	begin := time.Now()
	for n := int64(0); n < size; n += int64(len(block)) {
		h.Write(block)
	}
	h.Sum(nil)
	return float64(size) / time.Since(begin).Seconds()
}

func (s *site) timedUpload(ctx context.Context, v *visitor, size int64) (time.Duration, error) {
	file := pdftest.NewLarge(size)
	begin := time.Now()
	id, err := v.upload(ctx, io.NewSectionReader(file, 0, file.Size()), file.Size())
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	return took, v.erase(ctx, id)
}

// measureUploadMemory: what one more upload costs while it runs, whatever its size; and
// what a hundred cost that are all under way at the same moment.
func measureUploadMemory(ctx context.Context, b *bench, s *site, v *visitor) error {
	before, _, err := s.resident()
	if err != nil {
		return err
	}
	for _, size := range []int64{1 << 20, 1 << 27, 1 << 30} {
		var more sample
		for range 5 {
			begin := time.Now()
			busy, err := s.growth(func() error { _, err := s.timedUpload(ctx, v, size); return err })
			if err != nil {
				return err
			}
			took := time.Since(begin)
			// The portal has work of its own every few seconds, upload or not.
			idle, err := s.growth(func() error { time.Sleep(took); return nil })
			if err != nil {
				return err
			}
			more = append(more, (busy-idle)/1e6)
		}
		b.report.atMost(fmt.Sprintf("more memory at the peak of an upload of %d MB than idling as long", size/1_000_000), "MB", 1, more)
	}
	const many = 100
	if err := s.resetPeak(); err != nil {
		return err
	}
	if err := uploadTogether(ctx, v, many, 4<<20); err != nil {
		return err
	}
	_, peak, err := s.resident()
	if err != nil {
		return err
	}
	b.report.atMost(fmt.Sprintf("memory per upload, %d half sent at the same moment", many), "MB", 1, sample{(peak - before) / 1e6 / many})
	return nil
}

// growth is how far the resident memory rises above what it is now, in bytes.
func (s *site) growth(while func() error) (float64, error) {
	if err := s.resetPeak(); err != nil {
		return 0, err
	}
	start, _, err := s.resident()
	if err != nil {
		return 0, err
	}
	if err := while(); err != nil {
		return 0, err
	}
	_, peak, err := s.resident()
	return peak - start, err
}

// uploadTogether has n uploads wait for each other in their middle.
func uploadTogether(ctx context.Context, v *visitor, n int, size int64) error {
	var half sync.WaitGroup
	half.Add(n)
	failed := make(chan error, n)
	for range n {
		go func() {
			file := pdftest.NewLarge(size)
			middle := file.Size() / 2
			wait := &pause{wait: func() { half.Done(); half.Wait(); time.Sleep(time.Second) }}
			body := io.MultiReader(io.NewSectionReader(file, 0, middle), wait, io.NewSectionReader(file, middle, file.Size()))
			_, err := v.upload(ctx, body, file.Size())
			failed <- err
		}()
	}
	for range n {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// pause reads as nothing after it has waited.
type pause struct {
	wait func()
	once sync.Once
}

func (p *pause) Read([]byte) (int, error) {
	p.once.Do(p.wait)
	return 0, io.EOF
}
