import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in one JVM.
 *
 * Each line of stdin is a class name and its arguments, parted by tabs. Answered are the exit status (int32), the length
 * of what the tool printed on stdout and stderr together (int32), and that text as UTF-8.
 */
public class ToolRunner {
    private static class Exited extends RuntimeException {
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
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            PrintStream printer = new PrintStream(printed, true, StandardCharsets.UTF_8);
            System.setOut(printer);
            System.setErr(printer);
            int status = run(line.split("\t", -1));
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
            Class.forName(command[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
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
}
