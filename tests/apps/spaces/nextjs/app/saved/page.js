export default async function Saved({ searchParams }) {
  const { name } = await searchParams;
  return <p>Saved {name}</p>;
}
