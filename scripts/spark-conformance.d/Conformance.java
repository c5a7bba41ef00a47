import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** Runs files of programs on Spark Streaming and records every batch of every output. */
final class Conformance {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length < 3) {
            System.err.println("usage: Conformance PROGRAMS ANSWERS SCRATCH [NAME...]");
            System.exit(2);
        }
        PrintStream console = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // Before Spark's first use of the console, which it remembers.
        System.setOut(new PrintStream(Answers.PRINTED, true, StandardCharsets.UTF_8));
        List<String> wanted = List.of(arguments).subList(3, arguments.length);
        Set<String> unknown = new TreeSet<>(wanted);
        try (JavaSparkContext spark = new JavaSparkContext(configuration()); Stream<Path> files = Files.list(Path.of(arguments[0]))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".json")).sorted().toList()) {
                ObjectNode recorded = record(spark, file, Path.of(arguments[2]), wanted);
                if (wanted.isEmpty()) {
                    Files.writeString(Path.of(arguments[1]).resolve(file.getFileName()), Layout.text(recorded));
                } else if (!recorded.isEmpty()) {
                    console.print(Layout.text(recorded));
                }
                recorded.fieldNames().forEachRemaining(unknown::remove);
            }
        }
        if (!unknown.isEmpty()) {
            System.err.println("no program is called " + unknown);
            System.exit(2);
        }
    }

    private static SparkConf configuration() {
        return new SparkConf()
            .setMaster("local[2]")
            .setAppName("conformance")
            .set("spark.ui.enabled", "false")
            .set("spark.log.level", "WARN")
            .set("spark.default.parallelism", "2")
            .set("spark.streaming.clock", "org.apache.spark.util.ManualClock")
            .set("spark.streaming.stopSparkContextByDefault", "false")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1");
    }

    /** The answers to the programs of a file; to those of these names, if there are any. */
    private static ObjectNode record(JavaSparkContext spark, Path programs, Path scratch, List<String> wanted) throws IOException, InterruptedException {
        ObjectMapper json = new ObjectMapper();
        ObjectNode recorded = json.createObjectNode();
        for (JsonNode program : json.readTree(programs.toFile())) {
            String name = program.get("name").textValue();
            if (!wanted.isEmpty() && !wanted.contains(name)) {
                continue;
            }
            long started = System.nanoTime();
            Path own = Files.createDirectories(scratch.resolve(name));
            recorded.set(name, new Run(program, own).answers(spark));
            System.err.printf("%6d ms  %s%n", (System.nanoTime() - started) / 1_000_000, name);
        }
        return recorded;
    }
}
