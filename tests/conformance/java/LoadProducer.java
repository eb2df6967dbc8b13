import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An idempotent Java producer under load, for tests/faults: BOOTSTRAP TOPIC PARTITIONS NAME RATE.
 *
 * It sends the values "NAME:0", "NAME:1", ... round the partitions, about RATE a second, until a line comes on stdin, and
 * prints what is acknowledged ("SEQUENCE PARTITION OFFSET"), what fails ("failed TEXT") and at last "sent COUNT".
 */
public final class LoadProducer {
    static final int PAUSE_MS = 10;
    static final PrintStream OUT = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, UTF_8);

    public static void main(String[] args) throws Exception {
        String topic = args[1], name = args[3];
        int partitions = Integer.parseInt(args[2]), perPause = Math.max(1, Integer.parseInt(args[4]) * PAUSE_MS / 1000);
        Map<String, Object> config = Map.of(
            "bootstrap.servers", args[0], "enable.idempotence", true, "acks", "all", "linger.ms", 5,
            "retry.backoff.ms", 50, "reconnect.backoff.max.ms", 500, "delivery.timeout.ms", 60_000);
        int sent = 0;
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            while (!isStopped()) {
                for (int number = 0; number < perPause; number++) {
                    int sequence = sent++;
                    byte[] value = (name + ":" + sequence).getBytes(UTF_8);
                    producer.send(new ProducerRecord<>(topic, sequence % partitions, null, value), (place, error) ->
                        OUT.println(error == null ? sequence + " " + place.partition() + " " + place.offset()
                            : "failed " + error));
                }
                Thread.sleep(PAUSE_MS);
            }
            producer.flush();
        }
        OUT.println("sent " + sent);
        OUT.flush();
    }

    static boolean isStopped() throws IOException {
        return System.in.available() > 0;
    }
}
