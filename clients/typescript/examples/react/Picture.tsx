import { Frontispiece, waitForImage, type Candidate } from "frontispiece-client";
import { useEffect, useState } from "react";

// The token of whoever is logged in; ALLOWED_ORIGINS must name this page's origin.
const client = new Frontispiece({ baseURL: "https://pictures.example.com", token: () => sessionStorage.getItem("token") ?? "" });

/** Asks on a click, not in an effect: React runs effects twice while developing, and a picture may cost money. */
export function AskForPicture({ prompt }: { prompt: string }) {
  const [jobID, setJobID] = useState<string>();
  const [problem, setProblem] = useState("");
  const ask = () =>
    client.submit({ prompt, width: 1200, height: 630 }).then(
      (job) => setJobID(job.id),
      (error: unknown) => setProblem(String(error)),
    );
  if (jobID) return <Picture jobID={jobID} />;
  return problem ? <p role="alert">{problem}</p> : <button onClick={() => void ask()}>Make a picture</button>;
}

/** Waits for a job's picture and shows it: its size is known at once, and the browser takes the smaller copy that fits. */
export function Picture({ jobID }: { jobID: string }) {
  const [picture, setPicture] = useState<Candidate>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const leaving = new AbortController(); // ends the waiting; the job goes on
    waitForImage(client, jobID, { signal: leaving.signal }).then(
      ({ image }) => setPicture(image),
      (error: unknown) => leaving.signal.aborted || setProblem(String(error)),
    );
    return () => leaving.abort();
  }, [jobID]);
  if (problem) return <p role="alert">{problem}</p>;
  if (!picture?.url) return <p role="status">A picture is being made…</p>;
  return (
    <img
      src={client.url(picture.url)}
      {...(picture.srcset && !picture.srcset.startsWith("/") && { srcSet: picture.srcset, sizes: "(min-width: 60rem) 60rem, 100vw" })}
      width={picture.width}
      height={picture.height}
      alt={picture.alt_text ?? ""}
    />
  );
}
