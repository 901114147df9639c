output "machines" {
  description = "Names of the machines."
  value       = terraform_data.machine[*].output
}

output "size" {
  description = "How many machines run."
  value       = length(terraform_data.machine)
}
