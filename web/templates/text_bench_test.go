package templates_test

import (
	"context"
	"io"
	"testing"

	"countersign/web/gallery"
	"countersign/web/templates"
)

// BenchmarkPages draws every page of the gallery, in each language.
func BenchmarkPages(b *testing.B) {
	pages := gallery.Pages()
	for _, tag := range templates.Languages() {
		ctx := templates.WithLanguage(context.Background(), tag)
		b.Run(tag, func(b *testing.B) {
			for b.Loop() {
				for _, p := range pages {
					if err := p.Render(ctx, io.Discard); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
