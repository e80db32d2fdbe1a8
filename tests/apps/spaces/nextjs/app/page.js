import { redirect } from "next/navigation";

async function save(form) {
  "use server";
  redirect(`/saved?name=${encodeURIComponent(form.get("name"))}`);
}

export default function Page() {
  return (
    <form action={save}>
      <label>
        Name <input name="name" />
      </label>
      <button>Save</button>
    </form>
  );
}
