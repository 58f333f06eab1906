"""Turn validation errors into one actionable sentence."""

from collections.abc import Iterable

from pydantic import BaseModel, ValidationError

from study.messages.suggestions import did_you_mean


def nearest(key: object, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)`, or the known names if none is close."""
    return did_you_mean(key, known) or f" (known: {', '.join(sorted(known))})"


def explain(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Return the first validation error as rule, value and place."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = nearest(first["loc"][-1], _fields(model, first["loc"]))
        return f"{where} must name known keys, but found {place}{hint}"
    if first["type"] == "value_error":
        rule = str(first["ctx"]["error"])
        return f"{where}: {rule}" + (f" (in {place})" if place else "")
    if first["type"] == "missing":
        return f"{where} must have the key {place}"
    found = repr(first["input"])
    shown = found if len(found) <= 80 else found[:77] + "..."
    return f"{where}: {place}: {first['msg'].lower()}, but got {shown}"


def _fields(model: type[BaseModel], loc: tuple) -> Iterable[str]:
    """Return the field names of the model at an error's place, or of its nearest parent."""
    for part in loc[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return model.model_fields
