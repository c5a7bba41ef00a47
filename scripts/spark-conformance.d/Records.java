import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import scala.Tuple2;

/** Records as programs write them: a string, an integer, or an array of a string and an integer. */
final class Records {
    private Records() {}

    static Object read(JsonNode record) {
        if (record.isTextual()) {
            return record.textValue();
        }
        if (record.isIntegralNumber()) {
            return record.longValue();
        }
        return pair(record);
    }

    static Tuple2<String, Long> pair(JsonNode record) {
        if (!record.isArray() || record.size() != 2) {
            throw new IllegalArgumentException("no record: " + record);
        }
        return new Tuple2<>(record.get(0).textValue(), record.get(1).longValue());
    }

    static List<Object> readAll(JsonNode records) {
        List<Object> all = new ArrayList<>();
        records.forEach(record -> all.add(read(record)));
        return all;
    }

    static List<Tuple2<String, Long>> readPairs(JsonNode records) {
        List<Tuple2<String, Long>> all = new ArrayList<>();
        records.forEach(record -> all.add(pair(record)));
        return all;
    }

    /** What is recorded of the records of a batch: their text, sorted, because Spark promises no order. */
    static List<String> show(List<?> records) {
        List<String> shown = new ArrayList<>();
        records.forEach(record -> shown.add(String.valueOf(record)));
        Collections.sort(shown);
        return shown;
    }

    /** Values of one key: sorted, because Spark promises no order. */
    static String list(Iterable<Long> values) {
        List<Long> sorted = new ArrayList<>();
        values.forEach(sorted::add);
        Collections.sort(sorted);
        return bracketed(sorted);
    }

    static String bracketed(Iterable<?> records) {
        List<String> shown = new ArrayList<>();
        records.forEach(record -> shown.add(String.valueOf(record)));
        return "[" + String.join(",", shown) + "]";
    }
}
