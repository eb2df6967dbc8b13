"""Give a broker the SCRAM user of the steps, and its internal topics.

Those a real broker makes when it is first asked for them, which takes it a while: no client's step should wait for it.
"""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import UserScramCredentialUpsertion

from tests.conformance.python.script import PASSWORD, USER


def prepare(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        user = UserScramCredentialUpsertion(USER, mechanism, PASSWORD)
        assert admin.alter_user_scram_credentials([user]) == {USER: None}
    admin.close()
    reader = KafkaConsumer(bootstrap_servers=bootstrap, group_id="first")
    reader.committed(TopicPartition("first", 0))
    reader.close()
    writer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id="first")
    writer.init_transactions()
    writer.close()


if __name__ == "__main__":
    prepare(sys.argv[1])
