import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.api.java.JavaRDD;

/**
 * What the outputs of the running program saw. Static, because Spark serializes the functions of a job when it writes a
 * checkpoint, and nothing that they close over may be one of our objects.
 */
final class Answers {
    /** Stands in the place of the records of a batch that could not be computed. */
    static final String FAILED = "failed";

    static final ByteArrayOutputStream PRINTED = new ByteArrayOutputStream();
    private static final Map<String, Map<Long, Object>> COLLECTED = new ConcurrentHashMap<>();

    private Answers() {}

    static void clear() {
        COLLECTED.clear();
        PRINTED.reset();
    }

    static void collect(String stream, JavaRDD<Object> records, long batch) {
        Object answer;
        try {
            answer = Records.show(records.collect());
        } catch (Exception failure) {
            // Spark's own exceptions are checked ones that Scala does not declare.
            answer = FAILED;
        }
        COLLECTED.computeIfAbsent(stream, name -> new ConcurrentHashMap<>()).put(batch, answer);
    }

    /** The records of a batch, FAILED, or null where the output had no job. */
    static Object collected(String stream, long batch) {
        return COLLECTED.getOrDefault(stream, Map.of()).get(batch);
    }

    static String takePrinted() {
        System.out.flush();
        String text = PRINTED.toString(java.nio.charset.StandardCharsets.UTF_8);
        PRINTED.reset();
        return text;
    }
}
