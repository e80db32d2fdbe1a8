import hashlib

import streamlit as st

st.title("A private Streamlit app")
if "presses" not in st.session_state:
    st.session_state.presses = 0
name = st.text_input("Name")
if st.button("Press"):
    st.session_state.presses += 1
st.write(f"{name or 'no one'} pressed {st.session_state.presses} times")
file = st.file_uploader("File")
if file is not None:
    content = file.getvalue()
    st.write(f"{len(content)} bytes, {hashlib.sha256(content).hexdigest()[:16]}")
    st.download_button("Download", content, "again.bin")
# `Host` and `Origin` would tell where this app is.
shown = [f"{name}: {value}" for name, value in st.context.headers.items() if name.lower() not in ("host", "origin")]
st.code("\n".join(shown))
