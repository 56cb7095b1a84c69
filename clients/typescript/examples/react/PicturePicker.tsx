import { Frontispiece, JobEndedError, ProblemError, waitForImage, type Candidate, type Job } from "frontispiece-client";
import { useEffect, useMemo, useRef, useState } from "react";

interface Props {
  /** Where the API is; its ALLOWED_ORIGINS must name this page's origin. */
  baseURL: string;
  /** The signed-in user's access token. */
  token: () => Promise<string>;
  draftID: string;
  prompt: string;
  onApproved: (slug: string | undefined) => void;
}

/** Asks for three pictures for a draft, shows them as they arrive and approves the one that is clicked. */
export function PicturePicker({ baseURL, token, draftID, prompt, onApproved }: Props) {
  const client = useMemo(() => new Frontispiece({ baseURL, token }), [baseURL, token]);
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState("");
  const waiting = useRef<AbortController>(null);
  useEffect(() => () => waiting.current?.abort(), []); // the page is left: the job goes on without us

  async function ask() {
    waiting.current?.abort();
    const { signal } = (waiting.current = new AbortController());
    setError("");
    try {
      const submitted = await client.submit({ prompt, draft_id: draftID, count: 3 }, { signal });
      setJob(submitted);
      await waitForImage(client, submitted.id, {
        signal,
        onJob: setJob,
        onEvent: (event) => {
          if (event.type === "image.stored" || event.type === "image.failed") void client.job(submitted.id, { signal }).then(setJob, ignore);
        },
      });
    } catch (problem) {
      if (!signal.aborted) setError(inWords(problem));
    }
  }

  async function approve(picture: Candidate) {
    try {
      // Named by its digest: what is published is what is on the screen.
      const body = { image_id: picture.id, ...(picture.sha256 && { sha256: picture.sha256 }) };
      const { draft } = await client.approve(draftID, body);
      onApproved(draft.post?.slug);
    } catch (problem) {
      setError(inWords(problem));
    }
  }

  return (
    <section aria-busy={job !== undefined && job.finalized_at === undefined}>
      <button type="button" onClick={() => void ask()}>
        {job ? "Other pictures" : "Ask for pictures"}
      </button>
      {error && <p role="alert">{error}</p>}
      {job && <progress max={100} value={job.progress.percent} aria-label="Pictures" />}
      <ul>
        {job?.candidates.map((picture) => (
          <li key={picture.id}>
            {picture.url ? (
              <button type="button" onClick={() => void approve(picture)}>
                <img
                  src={client.url(picture.url)}
                  {...(picture.srcset && !picture.srcset.startsWith("/") && { srcSet: picture.srcset })}
                  sizes="(min-width: 60rem) 20rem, 100vw"
                  width={picture.width}
                  height={picture.height}
                  alt={picture.alt_text ?? ""}
                  style={{ backgroundImage: `url(${picture.placeholder})`, backgroundSize: "cover" }}
                />
              </button>
            ) : (
              <span>{picture.failure?.message ?? picture.state}</span>
            )}
            {picture.credit_text && <small>{picture.credit_text}</small>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function inWords(problem: unknown): string {
  if (problem instanceof ProblemError && problem.problem.code === "picture_changed") return "Another picture has taken its place; look again.";
  if (problem instanceof ProblemError || problem instanceof JobEndedError) return problem.message;
  return "The picture service does not answer.";
}

function ignore() {}
