"""What the registry's service refuses: one class per `error_code` of the API. What a schema itself does wrong stands in
errors.py (42201, 42209, 42210)."""

from typing import ClassVar


class RegistryError(Exception):
    """An answer other than success. The HTTP status is error_code // 100."""

    error_code: ClassVar[int] = 50001
    template: ClassVar[str] = "Error in the backend data store"

    def __init__(self, *values: object, message: str | None = None) -> None:
        self.message = message if message is not None else self.template.format(*values)
        super().__init__(self.message)


class SubjectNotFound(RegistryError):
    error_code, template = 40401, "Subject '{}' not found."


class VersionNotFound(RegistryError):
    error_code, template = 40402, "Version {} not found."


class SchemaNotFound(RegistryError):
    """Values: the id or guid, or nothing where the content was asked for (message then is `Schema not found`)."""

    error_code, template = 40403, "Schema {} not found"


class SubjectSoftDeleted(RegistryError):
    error_code, template = 40404, "Subject '{}' was soft deleted.Set permanent=true to delete permanently"


class SubjectNotSoftDeleted(RegistryError):
    error_code, template = 40405, "Subject '{}' was not deleted first before being permanently deleted"


class VersionSoftDeleted(RegistryError):
    error_code, template = 40406, "Subject '{}' Version {} was soft deleted.Set permanent=true to delete permanently"


class VersionNotSoftDeleted(RegistryError):
    error_code, template = 40407, "Subject '{}' Version {} was not deleted first before being permanently deleted"


class CompatibilityNotConfigured(RegistryError):
    error_code, template = 40408, "Subject '{}' does not have subject-level compatibility configured"


class ModeNotConfigured(RegistryError):
    error_code, template = 40409, "Subject '{}' does not have subject-level mode configured"


class AssociationNotFound(RegistryError):
    error_code, template = 40410, "Association for '{}' not found."


class IncompatibleSchema(RegistryError):
    """Values: the subject and the reasons. Servers before 8.2 sent the plain 409: see RegistrySettings."""

    error_code = 40901
    template = 'Schema being registered is incompatible with an earlier schema for subject "{}", details: {}'


class InvalidVersion(RegistryError):
    error_code = 42202
    template = (
        "The specified version '{}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "
        '"latest"'
    )


class InvalidCompatibilityLevel(RegistryError):
    error_code = 42203
    template = (
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
        "forward_transitive, and full_transitive"
    )


class InvalidMode(RegistryError):
    error_code = 42204
    template = "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT, and FORWARD"


class OperationNotPermitted(RegistryError):
    error_code, template = 42205, "{}"


class ReferenceExists(RegistryError):
    error_code = 42206
    template = "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={},version={}}}."


class InvalidSubject(RegistryError):
    error_code, template = 42208, "The specified subject '{}' is not a valid subject"


class ContextNotEmpty(RegistryError):
    error_code, template = 42211, "The specified context '{}' is not empty."


class StoreFailed(RegistryError):
    """Kafka refused a write, or the topic's beginning could not be read yet."""

    error_code = 50001


class StoreTimedOut(RegistryError):
    """No broker confirmed in time: the write may have happened."""

    error_code, template = 50002, "The operation on the backend data store timed out: {}"


class ForwardingFailed(RegistryError):
    error_code, template = 50003, "Error while forwarding the request to the leader {}: {}"


class UnknownLeader(RegistryError):
    error_code, template = 50004, "Leader not known."
