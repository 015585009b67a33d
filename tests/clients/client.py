"""Uses the client that openapi-python-client generated in the current folder: captures a field, classifies its image,
exports the records as a ZIP archive, adds a note and lists the models. Prints what it found as JSON.

Arguments: the appliance's address and an operator's token."""

import datetime
import io
import json
import sys
import zipfile

from generated import AuthenticatedClient
from generated.api.bench import capture
from generated.api.classify import classify
from generated.api.device import models
from generated.api.records import annotate, export, image, slides
from generated.models import ExportFormat, ImageForm, Note, Problem
from generated.types import File

address, token = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=token, timeout=60)
stranger = AuthenticatedClient(base_url=address, token="AAAA")

found = capture.sync(client=client)
picture = image.sync(found.record, client=client)
assert isinstance(picture, File), picture
content = picture.payload.read()
raw = classify.sync(client=client, body=File(payload=io.BytesIO(content)))
form = classify.sync(
    client=client,
    body=ImageForm(file=File(payload=io.BytesIO(content), file_name="field.jpg")),
)
archive = export.sync(client=client, format_=ExportFormat.ZIP)
assert isinstance(archive, File), archive
slide = slides.sync(client=client).slides[0]
assert isinstance(slide.started_at, datetime.datetime), slide
note = annotate.sync(slide.id, client=client, body=Note(text="seen"))
refused = slides.sync(client=stranger)
assert isinstance(refused, Problem), refused
print(
    json.dumps(
        {
            "verdicts": [str(found.verdict), str(raw.verdict), str(form.verdict)],
            "files": sorted(zipfile.ZipFile(archive.payload).namelist()),
            "models": [
                [model.role, model.version, model.card.license_]
                for model in models.sync(client=client)
            ],
            "note": note.text,
            "refused": refused.status,
        }
    )
)
