import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Iterator;
import java.util.Map;

/** JSON for people who read differences: objects are spread over lines, and the batches of an output, one a line. */
final class Layout {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Layout() {}

    static String text(ObjectNode recorded) throws JsonProcessingException {
        StringBuilder text = new StringBuilder();
        // A second reading turns what was put in as Java objects into plain JSON.
        append(text, JSON.readTree(JSON.writeValueAsString(recorded)), "");
        return text.append('\n').toString();
    }

    private static void append(StringBuilder text, JsonNode node, String indent) throws JsonProcessingException {
        if (node.isObject() && !node.isEmpty()) {
            text.append("{\n");
            for (Iterator<Map.Entry<String, JsonNode>> fields = node.fields(); fields.hasNext(); ) {
                Map.Entry<String, JsonNode> field = fields.next();
                text.append(indent).append("  ").append(JSON.writeValueAsString(field.getKey())).append(": ");
                if (isBatches(field.getValue())) {
                    lines(text, field.getValue(), indent + "  ");
                } else {
                    append(text, field.getValue(), indent + "  ");
                }
                text.append(fields.hasNext() ? ",\n" : "\n");
            }
            text.append(indent).append('}');
        } else {
            text.append(JSON.writeValueAsString(node));
        }
    }

    private static boolean isBatches(JsonNode node) {
        if (node.isArray()) {
            for (JsonNode element : node) {
                if (element.isArray() || element.isNull() || element.textValue() != null && element.textValue().contains("\n")) {
                    return true;
                }
            }
        }
        return false;
    }

    private static void lines(StringBuilder text, JsonNode batches, String indent) throws JsonProcessingException {
        text.append("[\n");
        for (int batch = 0; batch < batches.size(); batch++) {
            text.append(indent).append("  ").append(JSON.writeValueAsString(batches.get(batch)));
            text.append(batch + 1 < batches.size() ? ",\n" : "\n");
        }
        text.append(indent).append(']');
    }
}
