"""Moving out: a stopped broker's topics as segments and scripts that make a real Apache Kafka go on with them."""
