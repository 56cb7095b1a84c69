package editorial

import "testing"

func TestCreditIsReadyToPrint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		credit     *Credit
		text, html string
	}{
		{"none", nil, "", ""},
		{"nobody", &Credit{PageURL: "https://x.test/"}, "", ""},
		{
			"a stock photo", &Credit{Author: "Ada & Co", AuthorURL: "https://www.pexels.com/@ada", PageURL: "https://www.pexels.com/photo/1/", Provider: "Pexels"},
			"Photo by Ada & Co on Pexels",
			`Photo by <a href="https://www.pexels.com/@ada">Ada &amp; Co</a> on <a href="https://www.pexels.com/photo/1/">Pexels</a>`,
		},
		{
			"links that are none", &Credit{Author: "<b>Eve</b>", AuthorURL: "javascript:alert(1)", PageURL: `https://x.test/"onclick="alert(1)`, Provider: "Pexels"},
			"Photo by <b>Eve</b> on Pexels",
			`Photo by &lt;b&gt;Eve&lt;/b&gt; on <a href="https://x.test/&#34;onclick=&#34;alert(1)">Pexels</a>`,
		},
		{"a person", &Credit{Author: "Ada"}, "Picture by Ada", "Picture by Ada"},
		{
			"a page", &Credit{Provider: "example.com", PageURL: "https://example.com/a.png"},
			"Picture from example.com", `Picture from <a href="https://example.com/a.png">example.com</a>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.credit.Text(); got != tt.text {
				t.Errorf("Text() = %q, want %q", got, tt.text)
			}
			if got := tt.credit.HTML(); got != tt.html {
				t.Errorf("HTML() = %q, want %q", got, tt.html)
			}
		})
	}
}
