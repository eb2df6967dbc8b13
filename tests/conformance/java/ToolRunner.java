import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in one JVM.
 *
 * Each line of stdin is what the tool is to read on its own stdin (base64), a class name and its arguments, parted by
 * tabs. Answered are the exit status (int32), the length of what the tool printed on stdout and stderr together (int32),
 * and that text as UTF-8.
 */
public class ToolRunner {
    private static class Exited extends Error { // an Exception would be caught by tools that report those
        final int status;

        Exited(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    public static void main(String[] args) throws Exception {
        DataOutputStream answers = new DataOutputStream(System.out);
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> { throw new Exited(status); });
        Exit.setHaltProcedure((status, message) -> { throw new Exited(status); });
        List<Runnable> hooks = new ArrayList<>();
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream printer = new PrintStream(printed, true, StandardCharsets.UTF_8);
        System.setOut(printer); // once, since Scala's println keeps the stream that it meets first
        System.setErr(printer);
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            printed.reset();
            String[] words = line.split("\t", -1);
            System.setIn(new ByteArrayInputStream(Base64.getDecoder().decode(words[0])));
            int status = run(Arrays.copyOfRange(words, 1, words.length));
            hooks.forEach(Runnable::run); // as at the end of the tool's own process
            hooks.clear();
            printer.flush();
            answers.writeInt(status);
            answers.writeInt(printed.size());
            printed.writeTo(answers);
            answers.flush();
        }
    }

    private static int run(String[] command) throws Exception {
        String[] arguments = Arrays.copyOfRange(command, 1, command.length);
        try {
            Class<?> tool = Class.forName(command[0]);
            forgetCount(tool);
            tool.getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (java.lang.reflect.InvocationTargetException error) {
            for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
                if (cause instanceof Exited) {
                    return ((Exited) cause).status;
                }
            }
            System.err.println(error.getCause());
            return 1;
        }
    }

    /** The console consumer counts its records in a static field: it expects a process of its own. */
    private static void forgetCount(Class<?> tool) throws IllegalAccessException {
        for (Field field : tool.getDeclaredFields()) {
            if (field.getName().equals("messageCount")) {
                field.setAccessible(true);
                field.setInt(null, 0);
            }
        }
    }
}
