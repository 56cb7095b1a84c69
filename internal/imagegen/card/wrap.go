package card

import "math"

// ruler measures runs of words without adding them up each time: a long title
// is tried at dozens of sizes.
type ruler struct {
	words []word
	ends  []float64 // ends[i] is where word i-1 ends when all stand on one line
}

func newRuler(words []word) ruler {
	r := ruler{words, make([]float64, len(words)+1)}
	for i, w := range words {
		r.ends[i+1] = r.ends[i] + w.space + w.advance
	}
	return r
}

// span is the width of the ink of words i to j-1 set on one line, in em.
func (r ruler) span(i, j int) float64 {
	first, last := r.words[i], r.words[j-1]
	return r.ends[j] - r.ends[i] - first.space - first.ink.left - (last.advance - last.ink.right)
}

// span is the width of the ink of words set on one line, in em.
func span(words []word) float64 { return newRuler(words).span(0, len(words)) }

// countLines is how many lines of at most measure em the words need when each
// line takes all it can, and whether every word fits a line of its own.
func countLines(words []word, measure float64) (lines int, fits bool) {
	r := newRuler(words)
	start := 0
	for i := range words {
		if r.span(i, i+1) > measure {
			return 0, false
		}
		if i == start || r.span(start, i+1) > measure {
			lines++
			start = i
		}
	}
	return lines, true
}

// breakLines sets words in exactly n lines of at most measure em, as evenly as
// they go: the sum of squared differences from the mean line is least, with a
// little added for a line that ends on a short word and a little taken off
// where a line ends with the sentence. It returns nil when n is too few.
func breakLines(words []word, measure float64, n int) [][]word {
	r := newRuler(words)
	mean := r.span(0, len(words)) / float64(n)
	// best[k][j] is the least cost of words[:j] in k lines, from[k][j] where
	// the last of them begins.
	best, from := costTable(n, len(words))
	for k := 1; k <= n; k++ {
		for j := k; j <= len(words); j++ {
			for i := j - 1; i >= k-1; i-- {
				width := r.span(i, j)
				if width > measure {
					break
				}
				cost := best[k-1][i] + unevenness(words[i:j], (width-mean)/measure, j == len(words))
				if cost < best[k][j] {
					best[k][j], from[k][j] = cost, i
				}
			}
		}
	}
	if math.IsInf(best[n][len(words)], 1) {
		return nil
	}
	lines := make([][]word, n)
	for k, j := n, len(words); k > 0; k-- {
		lines[k-1] = words[from[k][j]:j]
		j = from[k][j]
	}
	return lines
}

// costTable is a table for up to n lines of up to m words in which only the
// empty title costs nothing.
func costTable(n, m int) (best [][]float64, from [][]int) {
	best, from = make([][]float64, n+1), make([][]int, n+1)
	for k := range best {
		best[k], from[k] = make([]float64, m+1), make([]int, m+1)
		for j := range best[k] {
			best[k][j] = math.Inf(1)
		}
	}
	best[0][0] = 0
	return best, from
}

// unevenness is what one line costs that is off the mean width by a part of
// the measure.
func unevenness(line []word, off float64, last bool) float64 {
	cost := off * off
	if line[0].space == 0 {
		cost += 0.08 // it begins inside a compound
	}
	if last {
		return cost
	}
	end := line[len(line)-1]
	switch {
	case end.pauses:
		cost -= 0.02
	case end.letters <= 2:
		cost += 0.012
	}
	return cost
}

// split cuts every word wider than measure into pieces that are not, with
// hyphen where letters are parted. A piece has at least one letter, so a
// measure below one letter still ends.
func split(words []word, measure float64, hyphen word) []word {
	var out []word
	for _, w := range words {
		for span([]word{w}) > measure {
			head, tail, ok := cut(w, measure, hyphen)
			if !ok {
				break
			}
			out = append(out, head)
			w = tail
		}
		out = append(out, w)
	}
	return out
}

// cut divides w before the last letter that still lets the head and a hyphen
// fit. Parts that are no plain word (an address, a digest) get no hyphen: it
// would be read as one of theirs.
func cut(w word, measure float64, hyphen word) (head, tail word, ok bool) {
	at := 0
	for i, m := range w.marks {
		if i == 0 || !m.opens {
			continue
		}
		if at > 0 && m.x+hyphen.advance-w.ink.left > measure {
			break
		}
		at = i
	}
	if at == 0 {
		return w, word{}, false
	}
	x := w.marks[at].x
	head = word{advance: x, space: w.space, letters: w.letters}
	for _, m := range w.marks[:at] {
		head.adopt(m, 0)
	}
	if w.plain {
		for _, m := range hyphen.marks {
			head.adopt(m, x)
		}
		head.advance += hyphen.advance
	}
	tail = word{advance: w.advance - x, letters: w.letters, pauses: w.pauses, plain: w.plain}
	for _, m := range w.marks[at:] {
		tail.adopt(m, -x)
	}
	return head, tail, true
}
