import { ProblemError } from "frontispiece-client";
import Image from "next/image";
import { notFound } from "next/navigation";
import { pictures } from "../../../frontispiece";

export default async function Page({ params }: { params: Promise<{ slug: string }> }) {
  const { slug } = await params;
  const post = await pictures.post(slug).catch((error: unknown) => {
    if (error instanceof ProblemError && error.problem.status === 404) notFound();
    throw error;
  });
  return (
    <article>
      {post.featured_image_url && (
        // Its size and placeholder are known, so nothing jumps.
        <Image src={pictures.url(post.featured_image_url)} alt={post.title} width={1200} height={630} priority />
      )}
      <h1>{post.title}</h1>
      <p>{post.content}</p>
    </article>
  );
}
